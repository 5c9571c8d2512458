/** Who sends logs: applications, their keys and limits; all of it for administrators, one's own use for everybody. */
import { bytes, counted, figure } from "../figures";
import { useLoaded } from "../load";
import { route } from "../router";
import { isAdmin, session } from "../session";
import { EmptyState, Loading, Meter } from "../ui";
import { ApplicationDetail } from "./detail";
import { ApplicationList } from "./list";
import { readUsage, type Usage } from "./model";
import "./applications.css";

export function ApplicationsPage() {
  if (!isAdmin.value) {
    return <OwnApplication name={session.value?.application ?? ""} />;
  }
  const [name] = route.value.rest;
  return name ? <ApplicationDetail key={name} name={name} /> : <ApplicationList />;
}

function OwnApplication({ name }: { name: string }) {
  const usage = useLoaded(readUsage, [name]);
  return (
    <div class="page">
      <div class="page-head">
        <h1>{name}</h1>
      </div>
      {usage.value ? <OwnUsage usage={usage.value.get(name)} /> : <Loading what="usage" />}
      <EmptyState icon="key" title="Your key does not administer">
        Applications, keys and limits are for keys with the scope admin. Ask your operator for a change, or sign in with
        such a key.
      </EmptyState>
    </div>
  );
}

function OwnUsage({ usage }: { usage: Usage | undefined }) {
  return usage ? (
    <section class="card panel" aria-label="Usage">
      <h2>Today</h2>
      <UsageMeters usage={usage} />
    </section>
  ) : (
    <p class="muted">How much was sent today cannot be told right now.</p>
  );
}

export function UsageMeters({ usage }: { usage: Usage }) {
  const { limits } = usage;
  return (
    <div class="applications-meters">
      <p class="big">{bytes(usage.bytes_today)}</p>
      <Meter
        label="Bytes today"
        value={usage.bytes_today}
        limit={limits.bytes_per_day}
        text={`of ${bytes(limits.bytes_per_day)} a day`}
      />
      <p class="hint">
        {counted(usage.requests_today, "request", "requests")} so far. At most {figure(limits.requests_per_second)}{" "}
        requests and {bytes(limits.bytes_per_second)} a second.
      </p>
    </div>
  );
}
