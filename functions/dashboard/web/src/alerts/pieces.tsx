import type { ComponentChildren } from "preact";
import { canAlert, session } from "../session";
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

/** What only a key that may change alerts sees; others are told which key that would be. */
export function OnlyWriters({ children }: { children: ComponentChildren }) {
  return canAlert.value ? (
    <>{children}</>
  ) : (
    <span class="hint">
      To change this, sign in with a key of {session.value?.application} that has the scope alerts.
    </span>
  );
}
