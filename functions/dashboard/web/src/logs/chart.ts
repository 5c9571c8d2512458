/** The histogram's drawing, by uPlot. */
import uPlot from "uplot";
import { shortFigure } from "../figures";
import { tokenColour } from "../theme";
import { tickText, type Zone } from "../time";
import { STACK, stacked } from "./histogram";
import type { Counts } from "./model";

export const CHART_HEIGHT = 112;

export interface Handlers {
  /** Intervals that were brushed. */
  onBrush: (first: number, last: number) => void;
  /** The interval under the pointer. */
  onPoint: (interval: number | null) => void;
}

/** Draws into `root`; `destroy` what it returns before another is drawn there. */
export function draw(root: HTMLElement, answer: Counts, zone: Zone, { onBrush, onPoint }: Handlers): uPlot {
  const { starts, tops } = stacked(answer);
  const muted = tokenColour("--muted");
  const grid = { stroke: tokenColour("--border"), width: 1 };
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const end = starts.at(-1)! + answer.interval_seconds;
  const options: uPlot.Options = {
    width: Math.max(root.clientWidth, 120),
    height: CHART_HEIGHT,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 4 },
    },
    scales: { x: { time: true, range: [starts[0]!, end] }, y: { range: (_, __, max) => [0, Math.max(max, 1)] } },
    axes: [
      {
        stroke: muted,
        grid: { show: false },
        ticks: { ...grid, size: 4 },
        size: 24,
        gap: 2,
        font,
        space: 76,
        values: (_, splits, __, ___, step) => splits.map((split) => tickText(split, step, zone)),
      },
      {
        stroke: muted,
        grid,
        ticks: { show: false },
        size: 46,
        gap: 6,
        font,
        space: 26,
        values: (_, splits) => splits.map((count) => (Number.isInteger(count) ? shortFigure(count) : "")),
      },
    ],
    // The tallest is drawn first, the others over it.
    series: [{}, ...[...STACK].reverse().map((level) => series(tokenColour(`--level-${level.toLowerCase()}`)))],
    hooks: {
      setSelect: [(chart) => brushed(chart, onBrush)],
      setCursor: [(chart) => onPoint(pointed(chart, starts, answer.interval_seconds))],
    },
    tzDate: (seconds) => (zone === "utc" ? uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC") : new Date(seconds * 1e3)),
  };
  return new uPlot(options, [starts, ...[...tops].reverse()], root);
}

function series(fill: string): uPlot.Series {
  return { fill, width: 0, points: { show: false }, paths: uPlot.paths.bars!({ size: [0.86, 64], align: 1 }) };
}

function pointed(chart: uPlot, starts: number[], seconds: number): number | null {
  const { left } = chart.cursor;
  if (left === undefined || left === null || left < 0) {
    return null;
  }
  return intervalAt(starts, seconds, chart.posToVal(left, "x"));
}

function intervalAt(starts: number[], seconds: number, time: number): number {
  return Math.min(starts.length - 1, Math.max(0, Math.floor((time - starts[0]!) / seconds)));
}

function brushed(chart: uPlot, onBrush: Handlers["onBrush"]): void {
  const { left, width } = chart.select;
  const starts = chart.data[0] as number[];
  if (width < 2 || starts.length < 2) {
    return;
  }
  const seconds = starts[1]! - starts[0]!;
  const [first, last] = [left, left + width - 1].map((x) => intervalAt(starts, seconds, chart.posToVal(x, "x")));
  onBrush(first!, last!);
}

/** Shows intervals as brushed without telling anybody. */
export function mark(chart: uPlot, first: number, last: number): void {
  const starts = chart.data[0] as number[];
  const seconds = starts.length > 1 ? starts[1]! - starts[0]! : 1;
  const [from, to] = [Math.min(first, last), Math.max(first, last)];
  const left = chart.valToPos(starts[from]!, "x");
  const width = chart.valToPos(starts[to]! + seconds, "x") - left;
  chart.setSelect({ left, width, top: 0, height: chart.over.clientHeight }, false);
}
