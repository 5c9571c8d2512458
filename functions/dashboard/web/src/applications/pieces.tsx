import type { Application, Key } from "./model";

const KINDS = { active: "good", disabled: "bad", expired: "caution", revoked: "bad" };

export function StatusBadge({ status }: { status: Application["status"] | Key["status"] }) {
  return <span class={`badge ${KINDS[status]}`}>{status}</span>;
}
