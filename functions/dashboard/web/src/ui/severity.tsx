import { Icon } from "./icon";

const KINDS: Record<string, string> = { critical: "bad", warning: "caution", info: "" };

/** How bad it is: its word in its colour. */
export function SeverityBadge({ severity }: { severity: string }) {
  return (
    <span class={`badge severity ${KINDS[severity] ?? ""}`}>
      {severity !== "info" && <Icon name="warning" />}
      {severity}
    </span>
  );
}
