import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Icon, type IconName } from "./icon";
import { toast } from "./toast";

interface Props {
  children?: ComponentChildren;
  onClick?: () => void;
  /** What it does, where an icon says so alone. */
  label?: string;
  icon?: IconName;
  primary?: boolean;
  danger?: boolean;
  quiet?: boolean;
  busy?: boolean;
  disabled?: boolean;
  type?: "button" | "submit";
  pressed?: boolean;
}

export function Button(props: Props) {
  const { children, label, icon, type = "button", busy = false } = props;
  const kinds = (["primary", "danger", "quiet"] as const).filter((kind) => props[kind]);
  return (
    <button
      type={type}
      class={["button", ...kinds, ...(children ? [] : ["icon-only"])].join(" ")}
      aria-label={label}
      title={label}
      aria-busy={busy || undefined}
      aria-pressed={props.pressed}
      disabled={(props.disabled ?? false) || busy}
      onClick={props.onClick}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** Copies `text`, and says that it did. */
export function CopyButton({ text, label = "Copy", icon = "copy" }: { text: string; label?: string; icon?: IconName }) {
  const [copied, setCopied] = useState(false);

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    } catch {
      toast("The browser does not let this page copy: select the text and copy it by hand.", "error");
    }
  }

  return (
    <>
      <Button quiet icon={copied ? "check" : icon} label={label} onClick={copy} />
      <span class="visually-hidden" role="status">
        {copied ? "Copied" : ""}
      </span>
    </>
  );
}
