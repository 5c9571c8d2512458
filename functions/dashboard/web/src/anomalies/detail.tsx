import { figure } from "../figures";
import { useLoaded } from "../load";
import { readContext } from "../logs/search";
import { link, route } from "../router";
import { formatTime } from "../time";
import { ErrorState, Icon, Loading, LogSamples, RelativeTime, SafeText, TemplateText, TimeChart } from "../ui";
import { zone } from "../zone";
import { Feedback } from "./feedback";
import { Badges } from "./list";
import { type Anomaly, type AnomalyDetail, logsQuery, showAnomaly } from "./model";

const MAX_SAMPLES = 5;

export function AnomalyDetailPage({ id }: { id: string }) {
  const detail = useLoaded((signal) => showAnomaly(id, signal), [id]);
  return (
    <div class="page">
      <nav class="crumbs" aria-label="Breadcrumb">
        <a href={link("anomalies", { since: route.value.query.get("since") })}>Anomalies</a>
      </nav>
      {detail.value ? (
        <Detail detail={detail.value} reload={detail.reload} />
      ) : detail.problem ? (
        <ErrorState problem={detail.problem} onRetry={detail.reload} />
      ) : (
        <Loading what="the anomaly" lines={9} />
      )}
    </div>
  );
}

function Detail({ detail: { anomaly, series }, reload }: { detail: AnomalyDetail; reload: () => Promise<void> }) {
  const { sentence, application, onset, last_seen, status, window, templates, samples } = anomaly;
  return (
    <>
      <div class="page-head">
        <div class="heading">
          <h1>
            <SafeText text={sentence} />
          </h1>
          <p class="badges">
            <Badges anomaly={anomaly} />
            <span class="hint">
              {application}, began <RelativeTime at={onset} />
              {status === "closed" && (
                <>
                  , last seen <RelativeTime at={last_seen} />
                </>
              )}
            </span>
          </p>
        </div>
        <div class="head-tools">
          <a
            class="button primary"
            href={link("logs", {
              q: logsQuery(anomaly),
              since: window.from,
              until: status === "open" ? "" : window.until,
            })}
          >
            <Icon name="search" /> Logs
          </a>
          <Feedback anomaly={anomaly} reload={reload} />
        </div>
      </div>
      {series.starts.length > 0 && <Drawn anomaly={anomaly} series={series} />}
      {templates.length > 0 && <Templates templates={templates} />}
      {samples.length > 0 && <Samples ids={samples.slice(0, MAX_SAMPLES)} />}
    </>
  );
}

function Drawn({ anomaly, series }: { anomaly: Anomaly; series: AnomalyDetail["series"] }) {
  const { observed, expected, onset, window, baseline } = anomaly;
  const { starts } = series;
  const interval = starts.length > 1 ? (Date.parse(starts[1]!) - Date.parse(starts[0]!)) / 1_000 : 60;
  return (
    <section class="card panel" aria-label="Observed and expected">
      <div class="section-head">
        <h2>Observed and expected</h2>
        <span class="hint">
          {figure(Math.round(observed))} came in the window, where about {figure(Number(expected.toPrecision(3)))} were
          expected
        </span>
      </div>
      <figure class="figure">
        <TimeChart
          starts={starts}
          intervalSeconds={interval}
          bars={[{ token: "--level-info", counts: series.observed }]}
          expected={series.expected}
          spans={[{ from: Date.parse(onset), until: Date.parse(window.until), token: "--danger" }]}
          height={220}
        />
        <figcaption>
          <span class="key level-info">observed</span>
          <span class="key anomalies-expected">expected</span>
          <span class="muted">
            by what came from {formatTime(baseline.from, zone.value)} to {formatTime(baseline.until, zone.value)}
          </span>
        </figcaption>
      </figure>
    </section>
  );
}

function Templates({ templates }: { templates: Anomaly["templates"] }) {
  return (
    <section class="card panel" aria-label="Templates">
      <h2>What it is about</h2>
      <ul class="anomalies-templates">
        {templates.map(({ id, text }) => (
          <li key={id}>
            <a href={link(`templates/${id}`)}>
              <TemplateText text={text} />
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Samples({ ids }: { ids: string[] }) {
  const logs = useLoaded(
    (signal) => Promise.all(ids.map(async (id) => (await readContext(id, 0, 0, signal)).log)),
    [ids.join()],
  );
  return (
    <section class="card panel" aria-label="Samples">
      <h2>Such as</h2>
      {logs.value ? (
        <LogSamples logs={logs.value} />
      ) : logs.problem ? (
        <p class="muted">They cannot be shown: {logs.problem.detail}</p>
      ) : (
        <Loading what="logs" />
      )}
    </section>
  );
}
