import { figure, span } from "../figures";
import { type Loaded, useLoaded, useRefresh } from "../load";
import { type Ledger, readLedger, readPipeline } from "../pipeline/model";
import { link } from "../router";
import { isAdmin, session } from "../session";
import { Icon, Loading } from "../ui";

const SECONDS = 30;
const LATE_SECONDS = 60;

/** Whether all that was accepted is accounted for, in one line. */
export function Health() {
  const canRead = session.value?.scopes.includes("read") ?? false;
  return canRead ? <HealthLine /> : null;
}

function HealthLine() {
  const ledger = useLoaded(readLedger, []);
  const pipeline = useLoaded(
    async (signal) => (isAdmin.value ? (await readPipeline(signal)).backlog.lag_seconds : null),
    [isAdmin.value],
  );
  useRefresh(ledger.reload, SECONDS, true);
  useRefresh(pipeline.reload, SECONDS, isAdmin.value);
  if (isPending(ledger) || isPending(pipeline)) {
    return (
      <div class="card">
        <Loading what="the health of the pipeline" lines={1} />
      </div>
    );
  }
  const total = ledger.value?.total;
  const isLost = Boolean(total && (total.unaccounted !== 0 || total.queue_rolled_back));
  const isLate = (pipeline.value ?? 0) > LATE_SECONDS;
  const isBad = isLost || isLate || Boolean(ledger.problem ?? pipeline.problem);
  return (
    <p class={`card home-health ${isBad ? "is-bad" : ""}`} role={isBad ? "alert" : undefined}>
      <Icon name={isBad ? "warning" : "check"} />
      <span>
        {total ? ledgerText(total) : ledger.problem?.detail}
        {isAdmin.value && (pipeline.problem ? ` ${pipeline.problem.detail}` : lagText(pipeline.value))}
      </span>
      <a href={link("pipeline")}>Pipeline</a>
    </p>
  );
}

const isPending = ({ at, problem }: Loaded<unknown>) => at === 0 && !problem;

/** "20,060 accepted = 20,000 stored + 60 dead letters." */
function ledgerText(total: Ledger["total"]): string {
  if (total.queue_rolled_back) {
    return "The queue lost its memory: see the pipeline.";
  }
  const { accepted, stored, duplicate, dead_lettered, in_flight, unaccounted } = total;
  const rest: [number, string][] = [
    [duplicate, duplicate === 1 ? "duplicate" : "duplicates"],
    [dead_lettered, dead_lettered === 1 ? "dead letter" : "dead letters"],
    [in_flight, "in flight"],
    [unaccounted, "unaccounted"],
  ];
  const parts = rest.filter(([count]) => count !== 0).map(([count, word]) => ` + ${figure(count)} ${word}`);
  return `${figure(accepted)} accepted = ${figure(stored)} stored${parts.join("")}.`;
}

function lagText(lag: number | null | undefined): string {
  return lag === undefined ? "" : lag === null ? " Nothing waits in the queue." : ` The oldest waits ${span(lag)}.`;
}
