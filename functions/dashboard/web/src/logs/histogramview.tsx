import type uPlot from "uplot";
import { zone } from "../zone";
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef, useState } from "preact/hooks";
import { figure, shortFigure } from "../figures";
import { levelClass } from "../levels";
import { isDark } from "../theme";
import { formatTime, iso, type TimeRange, widened, zoneTitle } from "../time";
import { Button } from "../ui";
import { CHART_HEIGHT, draw, mark } from "./chart";
import { intervalRange, intervalText, STACK, stacked, totals } from "./histogram";
import { hasTerm, term, withoutTerm, withTerm } from "./language";
import type { Counts } from "./model";
import { counts, countsProblem } from "./search";
import { ask, view } from "./view";

/** Ranges that were zoomed out of by brushing, the last one last. */
const zoomedFrom: TimeRange[] = [];

export function HistogramView() {
  return (
    <section class="logs-histogram" aria-label="Logs over time">
      <div class="logs-histogram-head">
        <Legend />
        <div class="logs-histogram-tools">
          <span class="hint">{zoneTitle(zone.value)}</span>
          {zoomedFrom.length > 0 && (
            <Button quiet icon="undo" onClick={undoZoom}>
              Undo zoom
            </Button>
          )}
          <Button
            quiet
            icon="zoomout"
            label="Show twice the time"
            onClick={() => ask(widened(view.value, Date.now()))}
          />
        </div>
      </div>
      <div class="logs-chart-space" style={{ height: `${CHART_HEIGHT}px` }}>
        {counts.value && counts.value.starts.length > 0 ? (
          <Chart answer={counts.value} />
        ) : (
          <p class="hint">
            {countsProblem.value && countsProblem.value.code !== "invalid_query" ? countsProblem.value.detail : ""}
          </p>
        )}
      </div>
    </section>
  );
}

export function undoZoom(): void {
  const range = zoomedFrom.pop();
  if (range) {
    ask(range);
  }
}

function zoom(answer: Counts, first: number, last: number): void {
  const [from, to] = intervalRange(answer, first, last);
  const { since, until } = view.value;
  zoomedFrom.push({ since, until });
  ask({ since: iso(from), until: iso(to) });
}

/** What each colour means, how many there are, and a filter for it. */
function Legend() {
  const found = counts.value ? totals(counts.value) : null;
  const { q } = view.value;
  return (
    <div class="logs-legend">
      <strong class="logs-total">
        {counts.value
          ? `${figure(counts.value.total)} ${counts.value.total === 1 ? "log" : "logs"}`
          : countsProblem.value
            ? ""
            : "…"}
      </strong>
      {counts.value?.partial && <span class="badge caution">counted in part</span>}
      {found &&
        STACK.filter((level) => found[level] > 0).map((level) => {
          const only = term("level", level);
          const isOnly = hasTerm(q, only);
          return (
            <button
              type="button"
              key={level}
              class="logs-legend-level"
              aria-pressed={isOnly}
              onClick={() => ask({ q: isOnly ? withoutTerm(q, only) : withTerm(q, only) })}
            >
              <span class={`dot ${levelClass(level)}`} aria-hidden="true" />
              {level.toLowerCase()} <b>{shortFigure(found[level])}</b>
            </button>
          );
        })}
    </div>
  );
}

function Chart({ answer }: { answer: Counts }) {
  const root = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const [picked, setPicked] = useState<[number, number] | null>(null);
  const dark = isDark.value;
  const shownZone = zone.value;

  useEffect(() => {
    const space = root.current!;
    const render = () => {
      chart.current?.destroy();
      chart.current = draw(space, answer, shownZone, {
        onBrush: (first, last) => zoom(answer, first, last),
        onPoint: setPointed,
      });
    };
    render();
    setPicked(null);
    const observer = new ResizeObserver(() => space.clientWidth !== chart.current?.width && render());
    observer.observe(space);
    return () => {
      observer.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [answer, dark, shownZone]);

  useEffect(() => {
    if (picked && chart.current) {
      mark(chart.current, ...picked);
    } else {
      chart.current?.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    }
  }, [picked]);

  const last = answer.starts.length - 1;
  const at = picked?.[1] ?? last;

  function onKeyDown(event: KeyboardEvent) {
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (next !== undefined) {
      const to = Math.min(last, Math.max(0, next));
      setPicked([event.shiftKey && picked ? picked[0] : to, to]);
    } else if (event.key === "Enter" && picked) {
      zoom(answer, ...picked);
    } else if (event.key === "Escape" && picked) {
      setPicked(null);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <>
      <div
        class="logs-chart"
        ref={root}
        role="slider"
        tabIndex={0}
        aria-label="Interval. Arrow keys choose one, with Shift several, Enter zooms in"
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={at}
        aria-valuetext={intervalTitle(answer, picked ?? [at, at])}
        onKeyDown={onKeyDown}
        onBlur={() => setPicked(null)}
      />
      <Tip answer={answer} at={pointed ?? (picked ? picked[1] : null)} chart={chart.current} />
    </>
  );
}

function intervalTitle(answer: Counts, [first, last]: [number, number]): string {
  const [from, to] = intervalRange(answer, first, last);
  const logs = first === last ? `: ${intervalText(stacked(answer), last)}` : "";
  return `${formatTime(from, zone.value)} to ${formatTime(to, zone.value).slice(11)}${logs}`;
}

function Tip({ answer, at, chart }: { answer: Counts; at: number | null; chart: uPlot | null }) {
  if (at === null || !chart || at >= answer.starts.length) {
    return null;
  }
  const { counts: levels } = stacked(answer);
  const [from, to] = intervalRange(answer, at, at);
  const middle = chart.bbox.left / devicePixelRatio + chart.valToPos((from + to) / 2_000, "x");
  const isRight = middle > chart.width / 2;
  return (
    <div class={`logs-tip ${isRight ? "is-leftward" : ""}`} style={{ left: `${middle}px` }} aria-hidden="true">
      <div>
        {formatTime(from, zone.value).slice(5)} – {formatTime(to, zone.value).slice(11)}
      </div>
      {STACK.map((level, index) => ({ level, count: levels[index]![at]! }))
        .filter(({ count }) => count > 0)
        .map(({ level, count }) => (
          <div key={level} class="logs-tip-row">
            <span class={`dot ${levelClass(level)}`} /> {level.toLowerCase()} <b>{figure(count)}</b>
          </div>
        ))}
      {levels.every((level) => level[at] === 0) && <div class="muted">no logs</div>}
    </div>
  );
}
