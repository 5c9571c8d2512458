/** The logs, 10,000 as smoothly as 10: only what is in sight is in the document. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useShortcuts } from "../shortcuts";
import { formatTime, zoneTitle } from "../time";
import { Button } from "../ui";
import { zone } from "../zone";
import { Row } from "./row";
import { cursorTo, expanded, found, loadingMore, loadMore, moreProblem, rows, toggle } from "./search";
import { isAtNewest, showWaiting } from "./tail";
import { show, view } from "./view";
import { useVirtualizer } from "./virtual";

const ROW_PIXELS = 26;
const NARROW_ROW_PIXELS = 48;
const HEAD_PIXELS = 28;
const LOAD_AHEAD_ROWS = 60;
const isNarrow = matchMedia("(max-width: 720px)");

export function LogList() {
  const scroller = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState<string | null>(null);
  const logs = rows.value;
  const { columns, wraps, log: linkedId } = view.value;
  const virtualizer = useVirtualizer({
    count: logs.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (isNarrow.matches ? NARROW_ROW_PIXELS : ROW_PIXELS),
    getItemKey: (at) => logs[at]!.id,
    overscan: 12,
    scrollPaddingStart: HEAD_PIXELS + 4,
  });
  const items = virtualizer.getVirtualItems();
  const at = logs.findIndex(({ id }) => id === current);
  useKeptPlace(scroller, logs, virtualizer);
  useEdges(items.at(0)?.index ?? 0, items.at(-1)?.index ?? 0, logs.length);

  useEffect(() => {
    const index = rows.value.findIndex(({ id }) => id === linkedId);
    if (index > 0 && found.value.pages.length === 1) {
      setCurrent(linkedId);
      virtualizer.scrollToIndex(index, { align: "center" });
    } else if (found.value.pages.length === 1) {
      scroller.current!.scrollTop = 0; // another answer begins at its beginning
    }
  }, [found.value.pages[0]]);
  useEffect(() => {
    isAtNewest.value = true;
    return () => {
      isAtNewest.value = true;
    };
  }, []);

  function go(to: number) {
    const index = Math.min(logs.length - 1, Math.max(0, to));
    if (logs[index]) {
      setCurrent(logs[index].id);
      virtualizer.scrollToIndex(index);
      requestAnimationFrame(() =>
        scroller.current?.querySelector<HTMLElement>(`[data-row="${index}"]`)?.focus({ preventScroll: true }),
      );
    }
  }

  function flip(id: string) {
    setCurrent(id);
    show({ log: toggle(id) }, { replace: true });
    if (expanded.value.has(id)) {
      requestAnimationFrame(() => revealRecord(scroller.current!, id));
    }
  }

  useShortcuts("Logs", [
    { keys: ["j"], does: "Next log", run: () => go(at + 1) },
    { keys: ["k"], does: "Previous log", run: () => go(at - 1) },
    { keys: ["o"], does: "Open or close the log", run: () => at >= 0 && flip(logs[at]!.id) },
    {
      keys: ["Escape"],
      does: "Close the log",
      run: () => at >= 0 && expanded.value.has(logs[at]!.id) && flip(logs[at]!.id),
    },
  ]);

  function onKeyDown(event: KeyboardEvent) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && event.target instanceof HTMLElement && event.target.matches(".logs-row-toggle, .logs-list")) {
      event.preventDefault();
      go(at + step);
    }
  }

  const withDay = spansDays(logs[0]?.timestamp, logs.at(-1)?.timestamp);
  return (
    <div
      class={`logs-list ${withDay ? "is-dated" : ""}`}
      style={{ "--columns": columns.map(() => "minmax(80px, 160px)").join(" ") }}
      role="table"
      aria-label="Logs"
      aria-rowcount={cursorTo("older") ? -1 : logs.length + 1}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll it
      tabIndex={0}
      ref={scroller}
      onKeyDown={onKeyDown}
      onScroll={(event) => {
        isAtNewest.value = event.currentTarget.scrollTop < ROW_PIXELS / 2;
        if (isAtNewest.value && expanded.value.size === 0) {
          showWaiting();
        }
      }}
    >
      <Head columns={columns} />
      <div class="logs-rows" role="rowgroup" style={{ height: `${virtualizer.getTotalSize()}px` }}>
        {items.map(({ index, key, start }) => {
          const log = logs[index]!;
          return (
            <div
              key={key}
              class="logs-place"
              role="presentation"
              data-index={index}
              ref={virtualizer.measureElement}
              style={{ transform: `translateY(${start}px)` }}
            >
              <Row
                log={log}
                columns={columns}
                wraps={wraps}
                withDay={withDay}
                at={index}
                isOpen={expanded.value.has(log.id)}
                isCurrent={log.id === current}
                isTabStop={log.id === current || (at < 0 && index === 0)}
                onToggle={() => flip(log.id)}
              />
            </div>
          );
        })}
      </div>
      <End key={logs.length} />
    </div>
  );
}

/** Moves a record that was opened low on the screen up, so that more than its head is seen. */
function revealRecord(list: HTMLElement, id: string) {
  const row = list.querySelector<HTMLElement>(`[data-log="${CSS.escape(id)}"]`);
  if (row) {
    const [box, frame] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
    const hidden = box.bottom - frame.bottom;
    list.scrollTop += Math.max(0, Math.min(hidden, box.top - frame.top - HEAD_PIXELS - ROW_PIXELS));
  }
}

function Head({ columns }: { columns: string[] }) {
  return (
    <div class="logs-head" role="rowgroup">
      <div class="logs-line" role="row" aria-rowindex={1}>
        {["Time", "Level", "Application", ...columns, "Message"].map((title) => (
          <span
            key={title}
            class={`logs-cell ${title === "Time" ? "logs-time" : ""}`}
            role="columnheader"
            title={title}
          >
            {title === "Level" ? <span class="visually-hidden">Level</span> : title.replace(/^metadata\./, "")}
            {title === "Time" && <span class="logs-zone"> {zoneTitle(zone.value)}</span>}
          </span>
        ))}
      </div>
    </div>
  );
}

/** What comes after the last row: more, the end, or how to go on. */
function End() {
  const last = found.value.pages.at(-1);
  const oldest = rows.value.at(-1);
  if (moreProblem.value) {
    return (
      <p class="logs-end" role="alert">
        {moreProblem.value.detail} <Button onClick={() => loadMore("older")}>Try again</Button>
      </p>
    );
  }
  if (last?.partial && last.next_cursor) {
    return (
      <p class="logs-end" role="status">
        The time for one search was used up{oldest ? ` at ${formatTime(oldest.timestamp, zone.value)}` : ""}.{" "}
        <Button busy={loadingMore.value !== null} onClick={() => loadMore("older")}>
          Go on
        </Button>
      </p>
    );
  }
  return <p class="logs-end hint">{last?.next_cursor ? "Loading more…" : "That is all in this time range."}</p>;
}

/** Rows that come in above the first one shown push nothing down, unless the newest are in sight. */
function useKeptPlace(
  scroller: { current: HTMLDivElement | null },
  logs: { id: string }[],
  virtualizer: ReturnType<typeof useVirtualizer>,
): void {
  const anchor = useRef<{ id: string; offset: number } | null>(null);
  useLayoutEffect(() => {
    const element = scroller.current!;
    const kept = anchor.current;
    const item = kept && element.scrollTop > 0 ? logs.findIndex(({ id }) => id === kept.id) : -1;
    const start = item >= 0 ? virtualizer.measurementsCache[item]?.start : undefined;
    if (kept && start !== undefined && Math.abs(start - kept.offset - element.scrollTop) > 1) {
      element.scrollTop = start - kept.offset;
    }
  }, [logs]);
  useLayoutEffect(() => {
    const top = scroller.current!.scrollTop;
    const first = virtualizer.getVirtualItems().find(({ end }) => end > top);
    anchor.current = first ? { id: String(first.key), offset: first.start - top } : null;
  });
}

/** Loads the next page before its first row comes into sight. */
function useEdges(first: number, last: number, count: number): void {
  useEffect(() => {
    const { pages } = found.value;
    if (count > 0 && last > count - LOAD_AHEAD_ROWS && !pages.at(-1)?.partial && !moreProblem.value) {
      void loadMore("older");
    } else if (first < LOAD_AHEAD_ROWS && found.value.isCutBefore && !moreProblem.value) {
      void loadMore("newer");
    }
  }, [first, last, count, loadingMore.value]);
}

function spansDays(first: string | undefined, last: string | undefined): boolean {
  return (
    Boolean(first && last) && formatTime(first!, zone.value).slice(0, 10) !== formatTime(last!, zone.value).slice(0, 10)
  );
}
