import { useState } from "preact/hooks";
import { get } from "../api";
import { figure, span } from "../figures";
import { useLoaded, useRefresh } from "../load";
import type { Counts } from "../logs/model";
import { link } from "../router";
import { canAlert } from "../session";
import { formatTime } from "../time";
import {
  Button,
  Confirm,
  ErrorState,
  Field,
  Icon,
  Loading,
  LogSamples,
  RelativeTime,
  SafeText,
  SeverityBadge,
  TimeChart,
  toast,
} from "../ui";
import { zone } from "../zone";
import { Deliveries } from "./deliveries";
import { acknowledge, type Incident, type IncidentDetail, type IncidentEvent, showIncident } from "./model";
import { IncidentState, lasted } from "./pieces";
import { SilenceDialog } from "./silences";

const REFRESH_SECONDS = 15;
const BUCKETS = 72;
const HOUR = 3_600_000;
const LONGEST = 7 * 24 * HOUR; // of what is drawn

export function IncidentPage({ id }: { id: string }) {
  const detail = useLoaded((signal) => showIncident(id, signal), [id]);
  useRefresh(detail.reload, REFRESH_SECONDS, detail.value?.incident.status === "firing");
  if (!detail.value) {
    return detail.problem ? (
      <ErrorState problem={detail.problem} onRetry={detail.reload} />
    ) : (
      <Loading what="the incident" lines={9} />
    );
  }
  const { incident, events } = detail.value;
  return (
    <>
      <Head incident={incident} reload={detail.reload} />
      <Drawn incident={incident} />
      <Samples events={events} />
      <Events events={events} />
      <Deliveries incident={incident.id} events={events.length} />
    </>
  );
}

function Head({ incident, reload }: { incident: Incident; reload: () => Promise<void> }) {
  const [asked, setAsked] = useState<"acknowledge" | "silence" | null>(null);
  const close = () => setAsked(null);
  const { title, sentence, severity, application, status, acknowledged_at, rule } = incident;
  return (
    <div class="page-head">
      <div class="heading">
        <h1>
          <SafeText text={title} />
        </h1>
        <p>
          <SafeText text={sentence} />
        </p>
        <p class="badges">
          <SeverityBadge severity={severity} />
          <IncidentState incident={incident} />
          <span class="hint">
            {application}, began <RelativeTime at={incident.opened_at} />, {status === "firing" ? "lasts" : "lasted"}{" "}
            {span(lasted(incident))}
            {incident.acknowledged_by && (
              <>
                , acknowledged by <code>{incident.acknowledged_by}</code>
                {incident.acknowledge_note && `: ${incident.acknowledge_note}`}
              </>
            )}
          </span>
        </p>
      </div>
      <div class="head-tools">
        <a class="button primary" href={logsLink(incident)}>
          <Icon name="search" /> Logs
        </a>
        {rule.id !== null && (
          <a class="button" href={link(`alerts/rules/${rule.id}`)}>
            Rule
          </a>
        )}
        {canAlert.value && status === "firing" && !acknowledged_at && (
          <Button onClick={() => setAsked("acknowledge")}>Acknowledge</Button>
        )}
        {canAlert.value && status === "firing" && <Button onClick={() => setAsked("silence")}>Silence</Button>}
      </div>
      {asked === "acknowledge" && <AcknowledgeDialog incident={incident} reload={reload} onClose={close} />}
      {asked === "silence" && (
        <SilenceDialog
          application={application}
          matchers={`rule=${incident.labels.rule ?? rule.name}`}
          reload={reload}
          onClose={close}
        />
      )}
    </div>
  );
}

function logsLink({ query, window, application, status }: Incident): string {
  const q = `${query.includes(" OR ") ? `(${query})` : query} app:${application}`.trim();
  return link("logs", { q, since: window.from, until: status === "firing" ? "" : window.until });
}

interface AcknowledgeProps {
  incident: Incident;
  reload: () => Promise<void>;
  onClose: () => void;
}

function AcknowledgeDialog({ incident, reload, onClose }: AcknowledgeProps) {
  const [note, setNote] = useState("");

  async function run() {
    await acknowledge(incident.id, note.trim());
    await reload();
    toast("Others see that you are on it.");
  }

  return (
    <Confirm title="Acknowledge this incident" action="Acknowledge" run={run} onClose={onClose}>
      <p class="muted">It goes on firing until it is over; nobody is told of it again before that.</p>
      <Field label="Note" hint="What others should know; may be empty.">
        {(attributes) => (
          <input
            {...attributes}
            value={note}
            onInput={(event) => setNote(event.currentTarget.value)}
            maxLength={1_000}
            autocomplete="off"
            autofocus
          />
        )}
      </Field>
    </Confirm>
  );
}

/** The logs that it is about, over time; while it fired is shaded. */
function Drawn({ incident }: { incident: Incident }) {
  const { query, application, opened_at, resolved_at } = incident;
  const [from, until] = drawnRange(incident, Date.now());
  const counts = useLoaded(
    (signal) =>
      get<Counts>("api/histogram", {
        query: {
          q: query,
          application,
          by: "none",
          buckets: BUCKETS,
          since: new Date(from).toISOString(),
          until: new Date(until).toISOString(),
        },
        signal,
      }),
    [incident.id, resolved_at],
  );
  const { value, problem } = counts;
  const shaded = { from: Date.parse(opened_at), until: resolved_at ? Date.parse(resolved_at) : until };
  return (
    <section class="card panel" aria-label="Logs over time">
      <div class="section-head">
        <h2>{query ? <code>{query}</code> : "All logs"}</h2>
        <span class="hint">
          {value ? `${figure(value.total)} logs` : (problem?.detail ?? "…")}, shaded while it fired
        </span>
      </div>
      <div class="alerts-chart">
        {value && (
          <TimeChart
            starts={value.starts}
            intervalSeconds={value.interval_seconds}
            bars={[{ token: "--level-info", counts: value.series[0]?.counts ?? value.starts.map(() => 0) }]}
            spans={[{ ...shaded, token: "--danger" }]}
          />
        )}
      </div>
    </section>
  );
}

/** Some time before it, to see what was usual; a little after it. */
function drawnRange({ opened_at, resolved_at, window }: Incident, now: number): [number, number] {
  const width = Date.parse(window.until) - Date.parse(window.from);
  const opened = Math.min(Date.parse(opened_at), Date.parse(window.from));
  const end = Math.min(now, (resolved_at ? Date.parse(resolved_at) : now) + Math.max(10 * width, HOUR / 4));
  const start = opened - Math.max(30 * width, 2 * HOUR);
  return [Math.max(start, end - LONGEST), end];
}

function Samples({ events }: { events: IncidentEvent[] }) {
  const samples = events.find(({ payload }) => payload.samples.length > 0)?.payload.samples ?? [];
  return samples.length === 0 ? null : (
    <section class="card panel" aria-label="Samples">
      <h2>Such as</h2>
      <LogSamples logs={samples} />
    </section>
  );
}

const KINDS: Record<IncidentEvent["kind"], string> = {
  firing: "fired",
  resolved: "resolved",
  corrected: "corrected by late logs",
  acknowledged: "acknowledged",
};

function Events({ events }: { events: IncidentDetail["events"] }) {
  return (
    <section class="card panel" aria-label="What happened">
      <h2>What happened</h2>
      <ol class="alerts-events">
        {events.map(({ id, kind, created_at, payload }) => (
          <li key={id}>
            <span class="hint">{formatTime(created_at, zone.value)}</span>
            <span>
              <strong>{KINDS[kind]}</strong>{" "}
              {payload.acknowledged ? (
                <>
                  by <code>{payload.acknowledged.by}</code> {payload.acknowledged.note}
                </>
              ) : (
                <SafeText text={payload.sentence} />
              )}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
