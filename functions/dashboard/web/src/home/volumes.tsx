import { figure, percentage } from "../figures";
import type { Loaded } from "../load";
import { written } from "../logs/language";
import { link } from "../router";
import { EmptyState, ErrorState, Loading, Sparkline, Table } from "../ui";
import type { Volume, Volumes } from "./model";

const SINCE = "-3h";

export function VolumeTable({ volumes }: { volumes: Loaded<Volumes> }) {
  const { value, problem, reload } = volumes;
  return (
    <section class="card" aria-label="Volume">
      <div class="card-head">
        <h2>Last 3 hours</h2>
        {value?.partial && <span class="badge caution">counted in part</span>}
      </div>
      {value ? (
        value.applications.length > 0 ? (
          <Rows applications={value.applications} />
        ) : (
          <EmptyState
            title="No logs in the last 3 hours"
            action={<a href={link("logs", { since: "-7d" })}>Older logs</a>}
          >
            Send some with a key that has the scope ingest: they show within seconds.
          </EmptyState>
        )
      ) : problem ? (
        <ErrorState problem={problem} onRetry={reload} />
      ) : (
        <Loading what="volumes" lines={6} />
      )}
    </section>
  );
}

function Rows({ applications }: { applications: Volume[] }) {
  return (
    <Table
      caption="Volume by application"
      rows={applications}
      rowKey={({ application }) => application}
      columns={[
        {
          title: "Application",
          cell: ({ application }) => (
            <a href={link("logs", { q: `app:${written(application)}`, since: SINCE })}>{application}</a>
          ),
        },
        {
          title: "Logs and errors",
          cell: ({ counts, errors, total, errorTotal }) => (
            <Sparkline label={`${figure(total)} logs, ${figure(errorTotal)} errors`} counts={counts} marked={errors} />
          ),
        },
        { title: "Logs", numeric: true, cell: ({ total }) => figure(total) },
        {
          title: "Errors",
          numeric: true,
          cell: ({ application, total, errorTotal }) =>
            errorTotal > 0 ? (
              <a href={link("logs", { q: `app:${written(application)} level:>=error`, since: SINCE })}>
                {figure(errorTotal)} ({percentage(errorTotal / total)})
              </a>
            ) : (
              <span class="muted">none</span>
            ),
        },
      ]}
    />
  );
}
