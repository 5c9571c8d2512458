import { useEffect, useState } from "preact/hooks";
import { get } from "../api";
import { counted, figure } from "../figures";
import { useLoaded, useRefresh } from "../load";
import type { Counts } from "../logs/model";
import { here, link, navigate, route } from "../router";
import { useShortcuts } from "../shortcuts";
import {
  Button,
  EmptyState,
  ErrorState,
  Loading,
  RelativeTime,
  SafeText,
  SpanSelect,
  shownSince,
  shownSpan,
  TimeChart,
  toastProblem,
} from "../ui";
import { Feedback } from "./feedback";
import { type Anomaly, type AnomalyPage, KINDS, kindTitle, listAnomalies } from "./model";

const LIMIT = 100;
const BUCKETS = 96;
const REFRESH_SECONDS = 30;

export function AnomalyList() {
  const { query } = route.value;
  const since = shownSince();
  const filters = {
    application: query.get("application") ?? "",
    kind: query.get("kind") ?? "",
    status: query.get("status") ?? "",
    muted: query.has("muted") ? "yes" : "",
  };
  const inputs = [since, ...Object.values(filters)];
  const found = useLoaded((signal) => listAnomalies({ ...filters, since, limit: LIMIT }, signal), inputs);
  useRefresh(found.reload, REFRESH_SECONDS, true);
  useShortcuts("Anomalies", [{ keys: ["r"], does: "Look again", run: () => void found.reload() }]);
  const isFiltered = Object.values(filters).some(Boolean);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Anomalies</h1>
        <div class="head-tools">
          <Filters filters={filters} />
          <SpanSelect />
        </div>
      </div>
      <Timeline application={filters.application} since={since} anomalies={found.value?.anomalies ?? []} />
      <section class="card" aria-label="Found">
        {found.value ? (
          found.value.anomalies.length > 0 ? (
            <Found
              key={found.at}
              first={found.value}
              query={{ ...filters, since, limit: LIMIT }}
              reload={found.reload}
            />
          ) : (
            <Nothing isFiltered={isFiltered} />
          )
        ) : found.problem ? (
          <ErrorState problem={found.problem} onRetry={found.reload} />
        ) : (
          <Loading what="anomalies" lines={6} />
        )}
      </section>
    </div>
  );
}

function Filters({ filters: { application, kind, status, muted } }: { filters: Record<string, string> }) {
  const change = (name: string) => (event: { currentTarget: { value: string } }) =>
    navigate(here({ [name]: event.currentTarget.value.trim() }), { replace: true });
  return (
    <>
      <input
        class="anomalies-application"
        type="search"
        aria-label="By application"
        placeholder="any application"
        value={application}
        onChange={change("application")}
      />
      <select class="span-select" aria-label="Kind" value={kind} onChange={change("kind")}>
        <option value="">any kind</option>
        {KINDS.map((each) => (
          <option key={each} value={each}>
            {kindTitle(each)}
          </option>
        ))}
      </select>
      <select class="span-select" aria-label="Status" value={status} onChange={change("status")}>
        <option value="">open and closed</option>
        <option>open</option>
        <option>closed</option>
      </select>
      <label class="anomalies-muted">
        <input
          type="checkbox"
          checked={muted === "yes"}
          onChange={(event) => navigate(here({ muted: event.currentTarget.checked ? "1" : null }), { replace: true })}
        />{" "}
        noise, too
      </label>
    </>
  );
}

interface TimelineProps {
  application: string;
  since: string;
  anomalies: Anomaly[];
}

/** All logs over time, and over them when something was unusual. */
function Timeline({ application, since, anomalies }: TimelineProps) {
  const counts = useLoaded(
    (signal) => get<Counts>("api/histogram", { query: { application, since, by: "level", buckets: BUCKETS }, signal }),
    [application, since],
  );
  const { value, problem } = counts;
  return (
    <section class="card panel" aria-label="Timeline">
      <figure class="figure">
        <div class="anomalies-chart">
          {value && (
            <TimeChart
              starts={value.starts}
              intervalSeconds={value.interval_seconds}
              bars={barsOf(value)}
              spans={anomalies.map(({ onset, last_seen, status }) => ({
                from: Date.parse(onset),
                until: status === "open" ? Date.parse(value.until) : Date.parse(last_seen),
                token: status === "open" ? "--danger" : "--caution",
              }))}
            />
          )}
        </div>
        <figcaption>
          {value ? (
            <>
              <span class="key level-error">errors</span>
              <span class="key level-info">other logs</span>
              <span class="muted">
                {figure(value.total)} in all, shaded where {counted(anomalies.length, "anomaly", "anomalies")} lasted
              </span>
              {value.partial && <span class="badge caution">counted in part</span>}
            </>
          ) : (
            <span class="muted">{problem?.detail ?? "…"}</span>
          )}
        </figcaption>
      </figure>
    </section>
  );
}

const ERRORS = ["ERROR", "CRITICAL"];

function barsOf({ starts, series }: Counts) {
  const sum = (isError: boolean) =>
    starts.map((_, at) =>
      series
        .filter(({ value }) => ERRORS.includes(value.toUpperCase()) === isError)
        .reduce((total, { counts }) => total + counts[at]!, 0),
    );
  return [
    { token: "--level-error", counts: sum(true) },
    { token: "--level-info", counts: sum(false) },
  ];
}

interface FoundProps {
  first: AnomalyPage;
  query: Record<string, string | number>;
  reload: () => Promise<void>;
}

function Found({ first, query, reload }: FoundProps) {
  const [more, setMore] = useState<AnomalyPage>({ anomalies: [], next_cursor: first.next_cursor });
  useEffect(() => setMore({ anomalies: [], next_cursor: first.next_cursor }), [first]);

  async function older() {
    try {
      const page = await listAnomalies({ ...query, cursor: more.next_cursor });
      setMore({ anomalies: [...more.anomalies, ...page.anomalies], next_cursor: page.next_cursor });
    } catch (error) {
      toastProblem(error);
    }
  }

  return (
    <>
      <ul class="anomalies-list">
        {[...first.anomalies, ...more.anomalies].map((anomaly) => (
          <li key={anomaly.id} class={anomaly.feedback === "noise" ? "is-noise" : ""}>
            <One anomaly={anomaly} reload={reload} />
          </li>
        ))}
      </ul>
      {more.next_cursor && (
        <div class="more">
          <Button onClick={older}>Older ones</Button>
        </div>
      )}
    </>
  );
}

function One({ anomaly, reload }: { anomaly: Anomaly; reload: () => Promise<void> }) {
  const { id, application, onset, sentence } = anomaly;
  return (
    <>
      <div class="anomalies-said">
        <a href={link(`anomalies/${id}`, { since: route.value.query.get("since") })}>
          <SafeText text={sentence} />
        </a>
        <p class="badges">
          <Badges anomaly={anomaly} />
          <span class="hint">
            {application}, began <RelativeTime at={onset} />
          </span>
        </p>
      </div>
      <Feedback anomaly={anomaly} reload={reload} />
    </>
  );
}

export function Badges({ anomaly: { kind, status, score, corrected, muted, version } }: { anomaly: Anomaly }) {
  return (
    <span>
      <span class={`badge ${status === "open" ? "bad" : ""}`}>{status === "open" ? "going on" : "over"}</span>
      <span class="badge">{kindTitle(kind)}</span>
      <span class="badge" title="How sure it is, from 0 to 1">
        score {score.toFixed(2)}
      </span>
      {version && <span class="badge">since version {version}</span>}
      {muted && <span class="badge">like noise</span>}
      {corrected && <span class="badge caution">corrected: late logs showed nothing</span>}
    </span>
  );
}

function Nothing({ isFiltered }: { isFiltered: boolean }) {
  return isFiltered ? (
    <EmptyState icon="search" title="No anomaly is like this" action={<a href={link("anomalies")}>Show all</a>} />
  ) : (
    <EmptyState
      icon="check"
      title={`Nothing unusual in the last ${shownSpan()}`}
      action={<a href={here({ since: "-30d" })}>Look at the last 30 days</a>}
    >
      Rates, new and rare templates are watched each minute, once an application is known for some days.
    </EmptyState>
  );
}
