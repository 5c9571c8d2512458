/** How the logs come through: the ledger for every reader, queue and dead letters for operators. */
import { signal } from "@preact/signals";
import { useLoaded, useRefresh } from "../load";
import { isAdmin, session } from "../session";
import { useShortcuts } from "../shortcuts";
import { Button, EmptyState, ErrorState, Loading, RelativeTime } from "../ui";
import { DeadLetters } from "./deadletters";
import { LedgerView } from "./ledger";
import { readLedger, readPipeline } from "./model";
import { Queue } from "./queue";
import "./pipeline.css";

const QUEUE_SECONDS = 5;
const LEDGER_SECONDS = 30; // it counts every number that was ever given out

const isFollowing = signal(true);

export function PipelinePage() {
  const canRead = session.value?.scopes.includes("read") ?? false;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Pipeline</h1>
        <Button
          icon={isFollowing.value ? "pause" : "play"}
          onClick={() => {
            isFollowing.value = !isFollowing.value;
          }}
        >
          {isFollowing.value ? "Pause" : "Refresh by itself"}
        </Button>
      </div>
      {canRead ? (
        <LedgerSection />
      ) : (
        <EmptyState icon="key" title="The ledger needs the scope read">
          Sign in with a key that has the scopes read and admin to see all of the pipeline.
        </EmptyState>
      )}
      {isAdmin.value ? (
        <>
          <QueueSection />
          <DeadLetters />
        </>
      ) : (
        <EmptyState icon="key" title="Queue and dead letters are for operators">
          They need a key with the scope admin. What you see above are the counts of {session.value?.application} alone.
        </EmptyState>
      )}
    </div>
  );
}

function LedgerSection() {
  const ledger = useLoaded(readLedger, []);
  useRefresh(ledger.reload, LEDGER_SECONDS, isFollowing.value);
  useShortcuts("Pipeline", [
    { keys: ["r"], does: "Count again", run: () => void ledger.reload() },
    {
      keys: ["."],
      does: "Pause, or refresh by itself",
      run: () => {
        isFollowing.value = !isFollowing.value;
      },
    },
  ]);
  return (
    <section class="card panel" aria-label="Ledger">
      <div class="section-head">
        <h2>Every accepted log is accounted for</h2>
        {ledger.at > 0 && (
          <span class="hint">
            counted <RelativeTime at={new Date(ledger.at).toISOString()} />
          </span>
        )}
      </div>
      {ledger.value ? (
        <LedgerView ledger={ledger.value} />
      ) : ledger.problem ? (
        <ErrorState problem={ledger.problem} onRetry={ledger.reload} />
      ) : (
        <Loading what="the ledger" />
      )}
      {ledger.value && ledger.problem && <p class="field-error">Not up to date: {ledger.problem.detail}</p>}
    </section>
  );
}

function QueueSection() {
  const pipeline = useLoaded(readPipeline, []);
  useRefresh(pipeline.reload, QUEUE_SECONDS, isFollowing.value);
  if (!pipeline.value) {
    return (
      <section class="card panel" aria-label="Queue">
        <h2>Queue</h2>
        {pipeline.problem ? (
          <ErrorState problem={pipeline.problem} onRetry={pipeline.reload} />
        ) : (
          <Loading what="the queue" />
        )}
      </section>
    );
  }
  return <Queue pipeline={pipeline.value} problem={pipeline.problem} />;
}
