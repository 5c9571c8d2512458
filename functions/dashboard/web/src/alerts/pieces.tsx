import type { Incident } from "./model";

/** How it stands, in one word. */
export function IncidentState({ incident }: { incident: Incident }) {
  const [word, kind] = stateOf(incident);
  return (
    <>
      <span class={`badge ${kind}`}>{word}</span>
      {incident.silenced && <span class="badge">silenced</span>}
    </>
  );
}

function stateOf({ status, withdrawn, acknowledged_at }: Incident): [string, string] {
  if (withdrawn) {
    return ["withdrawn", ""];
  }
  if (status === "resolved") {
    return ["resolved", "good"];
  }
  return acknowledged_at ? ["acknowledged", "caution"] : ["firing", "bad"];
}

/** How long it lasted, or has lasted so far, in seconds. */
export function lasted({ opened_at, resolved_at }: Incident): number {
  const end = resolved_at ? Date.parse(resolved_at) : Date.now();
  return Math.max(0, (end - Date.parse(opened_at)) / 1_000);
}
