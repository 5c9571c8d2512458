import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { shortFigure } from "../figures";
import { isDark, tokenColour } from "../theme";
import { tickText } from "../time";
import { zone } from "../zone";

export interface Bars {
  /** The token of their colour, e.g. `--level-error`. */
  token: string;
  /** One for each start; null where nothing is known. */
  counts: (number | null)[];
}

interface Props {
  /** When each interval begins, evenly. */
  starts: string[];
  intervalSeconds: number;
  /** Drawn on top of one another, the first at the bottom. */
  bars: Bars[];
  /** What was to be expected, as a line of steps. */
  expected?: (number | null)[] | undefined;
  /** Times to shade, in milliseconds since 1970. */
  spans?: { from: number; until: number; token: string }[] | undefined;
  height?: number;
}

const STRIP = 3; // pixels at the top of what is shaded, to be seen above tall bars, too

/** Bars over time. For the eye alone: what uses it says the same in words. */
export function TimeChart({ starts, intervalSeconds, bars, expected, spans = [], height = 160 }: Props) {
  const root = useRef<HTMLDivElement>(null);
  const dark = isDark.value;
  const shownZone = zone.value;
  const drawn = JSON.stringify([starts, intervalSeconds, bars, expected, spans, height]);
  useEffect(() => {
    const element = root.current!;
    if (starts.length === 0) {
      return undefined;
    }
    const times = starts.map((start) => Date.parse(start) / 1_000);
    const chart = new uPlot(options(element.clientWidth), data(times), element);
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [drawn, dark, shownZone]);
  return <div ref={root} class="time-chart" style={{ height: `${height}px` }} aria-hidden="true" />;

  /** The tallest is drawn first, the others over it; then the line. */
  function data(times: number[]): uPlot.AlignedData {
    const heights = times.map(() => 0);
    const tops = bars.map(({ counts }) =>
      counts.map((count, at) => {
        heights[at]! += count ?? 0;
        return count === null ? null : heights[at]!;
      }),
    );
    return [times, ...tops.reverse(), ...(expected ? [expected] : [])] as uPlot.AlignedData;
  }

  function options(width: number): uPlot.Options {
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: tokenColour("--muted"), font, ticks: { show: false } };
    const first = Date.parse(starts[0] ?? "") / 1_000;
    const last = Date.parse(starts.at(-1) ?? "") / 1_000 + intervalSeconds;
    return {
      width: Math.max(width, 120),
      height,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: true, range: [first, last] },
        y: { range: (_, __, highest) => [0, Math.max(highest, 1) * 1.05] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 28,
          space: 76,
          values: (_, splits, __, ___, step) => splits.map((split) => tickText(split, step, shownZone)),
        },
        {
          ...axis,
          size: 48,
          space: 26,
          grid: { stroke: tokenColour("--border"), width: 1 },
          values: (_, splits) => splits.map((split) => (Number.isInteger(split) ? shortFigure(split) : "")),
        },
      ],
      series: [
        {},
        ...bars.map(({ token }) => series(token)).reverse(),
        ...(expected ? [{ stroke: tokenColour("--text"), width: 1.5, points: { show: false }, paths: steps() }] : []),
      ],
      hooks: { drawClear: [shade] },
      tzDate: (seconds) =>
        shownZone === "utc" ? uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC") : new Date(seconds * 1e3),
    };
  }

  function shade(chart: uPlot): void {
    const { left, top, width, height } = chart.bbox;
    for (const { from, until, token } of spans) {
      const [start, end] = [from, until].map((time) => {
        const at = chart.valToPos(time / 1_000, "x", true);
        return Math.min(left + width, Math.max(left, at));
      });
      chart.ctx.save();
      chart.ctx.globalAlpha = 0.16;
      chart.ctx.fillStyle = tokenColour(token);
      chart.ctx.fillRect(start!, top, Math.max(end! - start!, 2), height);
      chart.ctx.globalAlpha = 1;
      chart.ctx.fillRect(start!, top, Math.max(end! - start!, 2), STRIP * devicePixelRatio);
      chart.ctx.restore();
    }
  }
}

const series = (token: string): uPlot.Series => ({
  fill: tokenColour(token),
  width: 0,
  points: { show: false },
  paths: uPlot.paths.bars!({ size: [0.86, 48], align: 1 }),
});

const steps = () => uPlot.paths.stepped!({ align: 1 });
