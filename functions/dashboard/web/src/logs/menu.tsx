import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "../ui";

interface Props {
  /** What the button says; on narrow screens only its icon stays, if `compact`. */
  title: string;
  icon?: IconName;
  label?: string;
  compact?: boolean;
  align?: "left" | "right";
  isOpen: boolean;
  onToggle: (isOpen: boolean) => void;
  children: ComponentChildren;
}

/** A button that opens a panel below it; Escape and a click elsewhere close it. */
export function Menu({ title, icon, label, compact, align = "left", isOpen, onToggle, children }: Props) {
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!isOpen) {
      return undefined;
    }
    const closeOutside = (event: Event) => !event.composedPath().includes(root.current!) && onToggle(false);
    document.addEventListener("pointerdown", closeOutside);
    root.current?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => document.removeEventListener("pointerdown", closeOutside);
  }, [isOpen]);

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      onToggle(false);
      button.current?.focus();
    }
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape is for what is inside
    <div class={`logs-menu is-${align}`} ref={root} onKeyDown={onKeyDown}>
      <button
        type="button"
        class={`button ${compact ? "is-compact" : ""}`}
        ref={button}
        aria-expanded={isOpen}
        aria-label={label ?? title}
        onClick={() => onToggle(!isOpen)}
      >
        {icon && <Icon name={icon} />}
        <span>{title}</span>
        <span class="logs-caret" aria-hidden="true" />
      </button>
      {isOpen && <div class="logs-menu-panel">{children}</div>}
    </div>
  );
}
