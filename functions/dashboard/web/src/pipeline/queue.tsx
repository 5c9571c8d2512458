import type { Problem } from "../api";
import { bytes, counted, figure, span } from "../figures";
import { Meter, RelativeTime, Table } from "../ui";
import type { Drain, Pipeline, Shard } from "./model";
import { Throughput } from "./throughput";

/** A drain ticks every 10 s and needs some seconds: what waits longer is late. */
const LATE_SECONDS = 60;

export function Queue({ pipeline, problem }: { pipeline: Pipeline; problem: Problem | undefined }) {
  const { backlog, drain, shards, dead_letters, throughput } = pipeline;
  const isLate = (backlog.lag_seconds ?? 0) > LATE_SECONDS;
  return (
    <>
      {problem && (
        <p class="note" role="status">
          These numbers are old: {problem.detail}
        </p>
      )}
      <section class="pipeline-tiles" aria-label="Queue">
        <div class="card pipeline-tile">
          <h2>Backlog</h2>
          <p class="big">{counted(backlog.entries, "batch", "batches")}</p>
          <Meter
            label="Backlog of its limit"
            value={backlog.bytes}
            limit={backlog.limit_bytes}
            text={`${bytes(backlog.bytes)} of ${bytes(backlog.limit_bytes)}`}
          />
        </div>
        <div class={`card pipeline-tile ${isLate ? "bad" : ""}`}>
          <h2>Lag</h2>
          <p class="big">{backlog.lag_seconds === null ? "none" : span(backlog.lag_seconds)}</p>
          <p class="hint">
            {isLate
              ? "Late: look whether drain runs, and at its logs."
              : backlog.lag_seconds === null
                ? "Nothing waits in the queue."
                : "Age of the oldest batch that waits."}
          </p>
        </div>
        <DrainTile drain={drain} />
        <div class={`card pipeline-tile ${dead_letters?.open ? "caution" : ""}`}>
          <h2>Open dead letters</h2>
          <p class="big">{dead_letters ? `${figure(dead_letters.open)}${dead_letters.is_capped ? "+" : ""}` : "–"}</p>
          <p class="hint">
            {dead_letters === null
              ? "The database does not answer."
              : dead_letters.open
                ? "See below for the reasons."
                : "Everything could be stored."}
          </p>
        </div>
      </section>
      <section class="card panel" aria-label="Throughput">
        <h2>Stored per minute, last hour</h2>
        {throughput ? (
          <Throughput minutes={throughput.minutes} isCut={throughput.is_cut} />
        ) : (
          <p class="muted pipeline-no-chart">
            The database does not answer: the queue keeps what comes in until it does.
          </p>
        )}
      </section>
      <Shards shards={shards} />
    </>
  );
}

function DrainTile({ drain }: { drain: Drain }) {
  const started = [drain.last_wake_at, drain.last_start_at].filter((at) => at !== null).sort();
  const last = started.at(-1);
  return (
    <div class="card pipeline-tile">
      <h2>Drain</h2>
      <p class="big">{drain.is_lingering ? "at work" : drain.mode === "wake" ? "asleep" : "ticks"}</p>
      <p class="hint">
        {last ? (
          <>
            Last started <RelativeTime at={last} />
            {drain.is_lingering
              ? ", looks for more all the time."
              : drain.mode === "wake"
                ? ", wakes with the next log."
                : "."}
          </>
        ) : (
          "None has run yet."
        )}
      </p>
    </div>
  );
}

function Shards({ shards }: { shards: Shard[] }) {
  return (
    <section class="card" aria-label="Shards">
      <div class="card-head">
        <h2>Shards</h2>
      </div>
      <Table
        caption="Shards"
        rows={shards}
        rowKey={({ shard }) => shard}
        columns={[
          { title: "Shard", cell: ({ shard }) => shard },
          { title: "Batches", numeric: true, cell: ({ entry_count }) => figure(entry_count) },
          { title: "Size", numeric: true, cell: ({ size_bytes }) => bytes(size_bytes) },
          {
            title: "Oldest",
            numeric: true,
            cell: ({ oldest_seconds }) => (oldest_seconds === null ? "–" : span(oldest_seconds)),
          },
          { title: "In work", numeric: true, cell: ({ group }) => (group ? figure(group.pending_count) : "–") },
          {
            title: "Drains",
            numeric: true,
            cell: ({ group }) => (group ? figure(group.consumers.length) : "none yet"),
          },
        ]}
      />
    </section>
  );
}
