import { type Incident, listIncidents } from "../alerts/model";
import type { Problem } from "../api";
import { counted } from "../figures";
import type { Loaded } from "../load";
import { link } from "../router";
import type { Templates } from "../templates/model";
import { ErrorState, Icon, Loading, RelativeTime, SafeText, SeverityBadge } from "../ui";

const SHOWN = 20;
const BY_SEVERITY: Record<string, number> = { critical: 0, warning: 1, info: 2 };

export interface UnusualNow {
  incidents: Incident[];
  /** The last one that is over, where none fires. */
  last: Incident | undefined;
}

export async function readUnusual(signal: AbortSignal): Promise<UnusualNow> {
  const [firing, resolved] = await Promise.all([
    listIncidents({ status: "firing", limit: 100 }, signal),
    listIncidents({ status: "resolved", limit: 1 }, signal),
  ]);
  const incidents = firing.incidents.toSorted(
    (one, other) =>
      Number(isQuiet(one)) - Number(isQuiet(other)) || BY_SEVERITY[one.severity]! - BY_SEVERITY[other.severity]!,
  );
  return { incidents, last: resolved.incidents[0] };
}

/** Somebody is on it, or does not want to hear of it. */
const isQuiet = ({ acknowledged_at, silenced }: Incident) => acknowledged_at !== null || silenced;

interface Props {
  unusual: Loaded<UnusualNow>;
  templates: Loaded<Templates>;
}

export function Unusual({ unusual, templates }: Props) {
  const { value, problem, reload } = unusual;
  const isCalm = value?.incidents.length === 0;
  if (!value || (isCalm && !templates.value && !templates.problem)) {
    return (
      <section class="card" aria-label="Unusual">
        {problem ? <ErrorState problem={problem} onRetry={reload} /> : <Loading what="what is unusual" />}
      </section>
    );
  }
  const { incidents, last } = value;
  if (isCalm) {
    return <Calm last={last} templates={templates.value} problem={problem ?? templates.problem} />;
  }
  return (
    <section class="card" aria-label="Unusual">
      <ul class="home-unusual">
        {incidents.slice(0, SHOWN).map((incident) => (
          <Firing key={incident.id} incident={incident} />
        ))}
      </ul>
      {incidents.length > SHOWN && (
        <p class="home-more">
          <a href={link("alerts")}>{counted(incidents.length - SHOWN, "more incident")}</a>
        </p>
      )}
      {problem && <p class="home-more field-error">Not up to date: {problem.detail}</p>}
    </section>
  );
}

function Firing({ incident }: { incident: Incident }) {
  const { id, title, sentence, severity, opened_at, acknowledged_by, silenced } = incident;
  return (
    <li class={`home-firing ${isQuiet(incident) ? "is-quiet" : ""}`}>
      <SeverityBadge severity={severity} />
      <div>
        <a href={link(`alerts/incidents/${id}`)}>
          <SafeText text={title} />
        </a>
        <p>
          <SafeText text={sentence} />
        </p>
      </div>
      <span class="hint">
        <RelativeTime at={opened_at} />
        {acknowledged_by && ", acknowledged"}
        {silenced && ", silenced"}
      </span>
    </li>
  );
}

interface CalmProps {
  last: Incident | undefined;
  templates: Templates | undefined;
  problem: Problem | undefined;
}

/** Nothing fires: since when, and how that is known. */
function Calm({ last, templates, problem }: CalmProps) {
  const count = templates?.health.reduce((sum, health) => sum + health.templates, 0) ?? 0;
  return (
    <section class="card home-calm" aria-label="Unusual">
      <Icon name="check" />
      <div>
        <h2>
          Nothing unusual
          {last?.resolved_at && (
            <>
              {" "}
              since <RelativeTime at={last.resolved_at} />
            </>
          )}
        </h2>
        <p class="muted">
          {templates &&
            (templates.total > 0
              ? `Based on ${counted(templates.total, "log")} of the last day in ${counted(count, "template")}.`
              : "But nothing came in during the last day, either: look whether your applications can send.")}
          {last && (
            <>
              {" "}
              The last was <a href={link(`alerts/incidents/${last.id}`)}>{last.title}</a>.
            </>
          )}
        </p>
        {problem && <p class="field-error">Not up to date: {problem.detail}</p>}
      </div>
    </section>
  );
}
