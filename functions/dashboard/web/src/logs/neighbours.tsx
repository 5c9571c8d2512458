/** What the same application logged right before and after a log, whatever the query. */

import { useEffect, useState } from "preact/hooks";
import { asProblem, type Problem } from "../api";
import { levelClass } from "../levels";
import { firstLine } from "../text";
import { clockTime, formatTime } from "../time";
import { Button } from "../ui";
import { zone } from "../zone";
import type { Context, Log } from "./model";
import { LogText } from "./pieces";
import { LevelMark } from "./row";
import { readContext } from "./search";
import { show } from "./view";

const STEP = 10;
const MAX = 200;

export function Neighbours({ log }: { log: Log }) {
  const [wanted, setWanted] = useState({ before: STEP, after: STEP });
  const [context, setContext] = useState<Context | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    const ended = new AbortController();
    readContext(log.id, wanted.before, wanted.after, ended.signal).then(
      (answer) => {
        setContext(answer);
        setProblem(null);
      },
      (error) => ended.signal.aborted || setProblem(asProblem(error)),
    );
    return () => ended.abort();
  }, [log.id, wanted]);
  const more = (side: "before" | "after") => setWanted({ ...wanted, [side]: Math.min(MAX, wanted[side] + 2 * STEP) });
  if (!context) {
    return <p class={problem ? "field-error" : "hint"}>{problem ? problem.detail : "Loading the context…"}</p>;
  }
  return (
    <section class="logs-neighbours" aria-label={`Context in ${log.application}`}>
      <h3>
        Context in {log.application} <span class="hint">oldest first, whatever the query says</span>
      </h3>
      <More side="before" have={context.before.length} asked={wanted.before} onMore={() => more("before")} />
      <ol>
        {[...context.before, log, ...context.after].map((other) => (
          <Neighbour key={other.id} log={other} isSelf={other.id === log.id} />
        ))}
      </ol>
      <More side="after" have={context.after.length} asked={wanted.after} onMore={() => more("after")} />
    </section>
  );
}

function More({
  side,
  have,
  asked,
  onMore,
}: {
  side: "before" | "after";
  have: number;
  asked: number;
  onMore: () => void;
}) {
  if (have < asked) {
    return <p class="hint">{side === "before" ? "Nothing earlier." : "Nothing later yet."}</p>;
  }
  return asked >= MAX ? (
    <p class="hint">That is as far as a context goes: search by time for more.</p>
  ) : (
    <Button quiet onClick={onMore}>
      {side === "before" ? "More before" : "More after"}
    </Button>
  );
}

function Neighbour({ log, isSelf }: { log: Log; isSelf: boolean }) {
  return (
    <li
      class={`logs-line logs-neighbour ${levelClass(log.level)} ${isSelf ? "is-self" : ""}`}
      aria-current={isSelf ? "true" : undefined}
    >
      <a
        class="logs-cell logs-time"
        href={`#/logs?log=${log.id}`}
        title={`Open this log (${formatTime(log.timestamp, "utc")} UTC)`}
        onClick={(event) => {
          event.preventDefault();
          const at = Date.parse(log.timestamp);
          show({
            q: "",
            since: new Date(at - 60_000).toISOString(),
            until: new Date(at + 60_000).toISOString(),
            log: log.id,
          });
        }}
      >
        {clockTime(log.timestamp, zone.value, false)}
      </a>
      <LevelMark level={log.level} />
      <span class="logs-cell logs-message">
        <LogText text={firstLine(log.message).text} />
      </span>
    </li>
  );
}
