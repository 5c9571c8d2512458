import { type Incident, listIncidents } from "../alerts/model";
import { type Anomaly, kindTitle, listAnomalies } from "../anomalies/model";
import type { Problem } from "../api";
import { counted, figure } from "../figures";
import type { Loaded } from "../load";
import { link } from "../router";
import type { Templates } from "../templates/model";
import { ErrorState, Icon, Loading, RelativeTime, SafeText, SeverityBadge } from "../ui";

const SHOWN = 20;
const ASKED = 100;
const BY_SEVERITY: Record<string, number> = { critical: 0, warning: 1, info: 2 };

/** An incident, or an anomaly that is none. */
interface Item {
  key: string;
  href: string;
  severity: string;
  title: string;
  sentence: string;
  since: string;
  /** Somebody is on it, or does not want to hear of it. */
  quiet: "acknowledged" | "silenced" | "noise" | null;
}

export interface UnusualNow {
  items: Item[];
  /** The last incident that is over. */
  last: Incident | undefined;
}

export async function readUnusual(signal: AbortSignal): Promise<UnusualNow> {
  const [firing, resolved, open] = await Promise.all([
    listIncidents({ status: "firing", limit: ASKED }, signal),
    listIncidents({ status: "resolved", limit: 1 }, signal),
    listAnomalies({ status: "open", since: "-30d", limit: ASKED }, signal),
  ]);
  // Anomalies say more than the incidents that a rule makes of them.
  const incidents = firing.incidents.filter(({ source }) => source === "rule").map(ofIncident);
  const items = [...incidents, ...open.anomalies.map(ofAnomaly)];
  return { items: items.toSorted(byUrgency), last: resolved.incidents[0] };
}

const byUrgency = (one: Item, other: Item) =>
  Number(one.quiet !== null) - Number(other.quiet !== null) ||
  BY_SEVERITY[one.severity]! - BY_SEVERITY[other.severity]!;

function ofIncident(incident: Incident): Item {
  const { id, severity, title, sentence, opened_at, acknowledged_at, silenced } = incident;
  return {
    key: id,
    href: link(`alerts/incidents/${id}`),
    severity,
    title,
    sentence,
    since: opened_at,
    quiet: acknowledged_at ? "acknowledged" : silenced ? "silenced" : null,
  };
}

function ofAnomaly({ id, application, kind, sentence, onset, feedback }: Anomaly): Item {
  return {
    key: `anomaly ${id}`,
    href: link(`anomalies/${id}`),
    severity: "warning",
    title: `${application}: ${kindTitle(kind)}`,
    sentence,
    since: onset,
    quiet: feedback === "noise" ? "noise" : null,
  };
}

interface Props {
  unusual: Loaded<UnusualNow>;
  templates: Loaded<Templates>;
}

export function Unusual({ unusual, templates }: Props) {
  const { value, problem, reload } = unusual;
  const isCalm = value?.items.length === 0;
  if (!value || (isCalm && !templates.value && !templates.problem)) {
    return (
      <section class="card" aria-label="Unusual">
        {problem ? <ErrorState problem={problem} onRetry={reload} /> : <Loading what="what is unusual" />}
      </section>
    );
  }
  const { items, last } = value;
  if (isCalm) {
    return <Calm last={last} templates={templates.value} problem={problem ?? templates.problem} />;
  }
  return (
    <section class="card" aria-label="Unusual">
      <ul class="home-unusual">
        {items.slice(0, SHOWN).map((item) => (
          <UnusualItem key={item.key} item={item} />
        ))}
      </ul>
      {items.length > SHOWN && (
        <p class="home-more">
          {figure(items.length - SHOWN)} more among the <a href={link("alerts")}>alerts</a> and{" "}
          <a href={link("anomalies")}>anomalies</a>
        </p>
      )}
      {problem && <p class="home-more field-error">Not up to date: {problem.detail}</p>}
    </section>
  );
}

function UnusualItem({ item: { href, severity, title, sentence, since, quiet } }: { item: Item }) {
  return (
    <li class={`home-firing ${quiet ? "is-quiet" : ""}`}>
      <SeverityBadge severity={severity} />
      <div>
        <a href={href}>
          <SafeText text={title} />
        </a>
        <p>
          <SafeText text={sentence} />
        </p>
      </div>
      <span class="hint">
        <RelativeTime at={since} />
        {quiet && `, ${quiet}`}
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
