/** What is shown where there are no logs: why, and what to do. */

import { useEffect, useState } from "preact/hooks";
import { get } from "../api";
import { longerRanges, rangeTitle, spanTitle } from "../time";
import { Button, CopyButton, EmptyState, ErrorState } from "../ui";
import { zone } from "../zone";
import { Detail } from "./detail";
import type { Page } from "./model";
import { found, linked, loadingMore, loadMore, mistake, problem } from "./search";
import { ask, show, view } from "./view";

export function Failed() {
  const failure = problem.value!;
  if (failure.code !== "invalid_query") {
    return <ErrorState problem={failure} onRetry={() => ask()} />;
  }
  const { detail, expected } = mistake.value!;
  return (
    <EmptyState title="The search has a mistake" icon="warning">
      <p>{detail}</p>
      {expected.length > 0 && (
        <p>
          Expected:{" "}
          {expected.map((text) => (
            <code key={text} class="logs-expected">
              {text}
            </code>
          ))}
        </p>
      )}
    </EmptyState>
  );
}

export function Nothing() {
  const isAnything = useIsAnything();
  const last = found.value.pages.at(-1);
  if (last?.partial && last.next_cursor) {
    return (
      <EmptyState
        title="Nothing found yet"
        icon="search"
        action={
          <Button primary busy={loadingMore.value !== null} onClick={() => loadMore("older")}>
            Go on
          </Button>
        }
      >
        The time for one search was used up before all logs were looked at.
      </EmptyState>
    );
  }
  return isAnything === null ? null : isAnything ? <NothingFound /> : <NothingSent />;
}

function NothingFound() {
  const { q, since, until } = view.value;
  const longer = longerRanges({ since, until }, Date.now());
  return (
    <EmptyState
      title={q ? "No log fits this search" : "No logs in this time"}
      icon="search"
      action={
        <>
          {longer.map((range) => (
            <Button key={range} onClick={() => ask({ since: range, until: "" })}>
              Search the last {spanTitle(range)}
            </Button>
          ))}
          {q && <Button onClick={() => ask({ q: "" })}>Clear the search</Button>}
        </>
      }
    >
      Looked at {rangeTitle({ since, until }, zone.value).replace("Last", "the last")}
      {view.value.isTailing ? "; new logs will appear here." : "."}
    </EmptyState>
  );
}

/** `SLUICE_API_KEY` stands for a key with the scope ingest, which this page does not know. */
function NothingSent() {
  const url = new URL("api/ingest", location.href.split("#")[0]).href;
  const line = `curl "${url}" -H "X-API-Key: $SLUICE_API_KEY" -d '{"level": "error", "message": "hello from curl"}'`;
  return (
    <EmptyState title="No logs yet" icon="waves" action={<Button onClick={() => ask()}>Look again</Button>}>
      <p>Send the first one with a key that has the scope “ingest”. It appears within some seconds.</p>
      <div class="logs-try">
        <pre>{line}</pre>
        <CopyButton text={line} label="Copy the command" />
      </div>
    </EmptyState>
  );
}

/** Whether the reader has any logs at all, whatever their time; null while nobody knows. */
function useIsAnything(): boolean | null {
  const [is, setIs] = useState<boolean | null>(null);
  useEffect(() => {
    get<Page>("api/logs", { query: { limit: 1 } }).then(
      ({ logs, partial }) => setIs(logs.length > 0 || partial),
      () => setIs(true),
    );
  }, []);
  return is;
}

/** The log of a shared link that the range or the query leaves out. */
export function Linked() {
  const log = linked.value;
  if (!log) {
    return null;
  }
  const close = () => {
    linked.value = null;
    show({ log: null }, { replace: true });
  };
  return (
    <section class="logs-linked" aria-label="The log of the link">
      <header>
        <h2>The log of the link</h2>
        <Button quiet icon="close" label="Close" onClick={close} />
      </header>
      <Detail log={log} />
    </section>
  );
}
