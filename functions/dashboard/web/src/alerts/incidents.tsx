import { useEffect, useState } from "preact/hooks";
import { span } from "../figures";
import { useLoaded, useRefresh } from "../load";
import { here, link, navigate, route } from "../router";
import { useShortcuts } from "../shortcuts";
import {
  Button,
  type Column,
  EmptyState,
  ErrorState,
  Loading,
  RelativeTime,
  SafeText,
  SeverityBadge,
  Table,
  toastProblem,
} from "../ui";
import { type Incident, type IncidentPage, listIncidents, SEVERITIES } from "./model";
import { IncidentState, lasted } from "./pieces";

const REFRESH_SECONDS = 15;
const FIRING = 200;
const RESOLVED = 50;

export function IncidentLists() {
  const { query } = route.value;
  const severity = query.get("severity") ?? "";
  const application = query.get("application") ?? "";
  const filters = { severity, application };
  const firing = useLoaded(
    (signal) => listIncidents({ ...filters, status: "firing", limit: FIRING }, signal),
    [severity, application],
  );
  const resolved = useLoaded(
    (signal) => listIncidents({ ...filters, status: "resolved", limit: RESOLVED }, signal),
    [severity, application],
  );
  useRefresh(firing.reload, REFRESH_SECONDS, true);
  const reload = () => void Promise.all([firing.reload(), resolved.reload()]);
  useShortcuts("Alerts", [{ keys: ["r"], does: "Look again", run: reload }]);
  const isFiltered = Boolean(severity || application);
  return (
    <>
      <section class="card" aria-label="Firing">
        <div class="card-head">
          <h2>Firing</h2>
          <Filters severity={severity} application={application} />
        </div>
        {firing.value ? (
          firing.value.incidents.length > 0 ? (
            <Incidents caption="Firing incidents" incidents={firing.value.incidents} />
          ) : (
            <EmptyState icon="check" title={isFiltered ? "No such incident fires" : "Nothing fires"}>
              {isFiltered ? <a href={link("alerts")}>Show all</a> : "Rules are judged each minute."}
            </EmptyState>
          )
        ) : firing.problem ? (
          <ErrorState problem={firing.problem} onRetry={firing.reload} />
        ) : (
          <Loading what="what fires" />
        )}
      </section>
      <section class="card" aria-label="Resolved">
        <div class="card-head">
          <h2>Resolved</h2>
        </div>
        {resolved.value ? (
          <Past first={resolved.value} filters={filters} />
        ) : resolved.problem ? (
          <ErrorState problem={resolved.problem} onRetry={resolved.reload} />
        ) : (
          <Loading what="what is over" />
        )}
      </section>
    </>
  );
}

function Filters({ severity, application }: { severity: string; application: string }) {
  const go = (change: Record<string, string>) => navigate(here(change), { replace: true });
  return (
    <div class="alerts-filters">
      <select aria-label="Severity" value={severity} onChange={(event) => go({ severity: event.currentTarget.value })}>
        <option value="">any severity</option>
        {SEVERITIES.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
      <input
        type="search"
        aria-label="By application"
        placeholder="any application"
        value={application}
        onChange={(event) => go({ application: event.currentTarget.value.trim() })}
      />
    </div>
  );
}

/** What is over, the latest first, page by page. */
function Past({ first, filters }: { first: IncidentPage; filters: Record<string, string> }) {
  const [more, setMore] = useState<IncidentPage>({ incidents: [], next_cursor: first.next_cursor });
  useEffect(() => setMore({ incidents: [], next_cursor: first.next_cursor }), [first]);

  async function older() {
    try {
      const query = { ...filters, status: "resolved", limit: RESOLVED, cursor: more.next_cursor };
      const page = await listIncidents(query);
      setMore({ incidents: [...more.incidents, ...page.incidents], next_cursor: page.next_cursor });
    } catch (error) {
      toastProblem(error);
    }
  }

  const all = [...first.incidents, ...more.incidents];
  return all.length === 0 ? (
    <EmptyState title="Nothing was resolved yet">What fired and is over stays here.</EmptyState>
  ) : (
    <>
      <Incidents caption="Resolved incidents" incidents={all} />
      {more.next_cursor && (
        <div class="more">
          <Button onClick={older}>Older ones</Button>
        </div>
      )}
    </>
  );
}

function Incidents({ caption, incidents }: { caption: string; incidents: Incident[] }) {
  const columns: Column<Incident>[] = [
    { title: "Severity", cell: ({ severity }) => <SeverityBadge severity={severity} /> },
    {
      title: "Incident",
      wraps: true,
      cell: ({ id, title, sentence }) => (
        <div class="two-lines">
          <a href={link(`alerts/incidents/${id}`)}>
            <SafeText text={title} />
          </a>
          <span class="muted">
            <SafeText text={sentence} />
          </span>
        </div>
      ),
    },
    { title: "State", cell: (incident) => <IncidentState incident={incident} /> },
    { title: "Application", wideOnly: true, cell: ({ application }) => application },
    { title: "Began", cell: ({ opened_at }) => <RelativeTime at={opened_at} /> },
    { title: "Lasted", numeric: true, wideOnly: true, cell: (incident) => span(lasted(incident)) },
  ];
  return <Table caption={caption} rows={incidents} rowKey={({ id }) => id} columns={columns} />;
}
