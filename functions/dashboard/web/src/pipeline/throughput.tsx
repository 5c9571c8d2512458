import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { figure, shortFigure } from "../figures";
import { isDark, tokenColour } from "../theme";
import type { Minute } from "./model";

export const HEIGHT = 180;

/** Bars of what was stored, and over them of what went to the dead letters. */
export function Throughput({ minutes, isCut }: { minutes: Minute[]; isCut: boolean }) {
  const root = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const dark = isDark.value;
  useEffect(() => {
    const element = root.current!;
    chart.current = new uPlot(options(element.clientWidth), data(minutes), element);
    const observer = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [dark]);
  useEffect(() => chart.current?.setData(data(minutes)), [minutes]);
  const sum = (name: "stored" | "duplicate" | "dead_lettered") =>
    minutes.reduce((total, minute) => total + minute[name], 0);
  return (
    <figure class="pipeline-throughput">
      <div ref={root} class="pipeline-chart-height" aria-hidden="true" />
      <figcaption>
        <span class="pipeline-key pipeline-stored">{figure(sum("stored"))} stored</span>
        <span class="pipeline-key pipeline-dead">{figure(sum("dead_lettered"))} dead letters</span>
        <span class="muted">{figure(sum("duplicate"))} duplicates left out</span>
        {isCut && <span class="muted">busy: only the last {minutes.length} minutes</span>}
      </figcaption>
    </figure>
  );
}

function data(minutes: Minute[]): uPlot.AlignedData {
  return [
    minutes.map(({ minute }) => Date.parse(minute) / 1_000),
    minutes.map(({ stored, dead_lettered }) => stored + dead_lettered),
    minutes.map(({ dead_lettered }) => dead_lettered),
  ];
}

/** "21:05", in the reader's time zone. */
function clock(seconds: number): string {
  const time = new Date(seconds * 1_000);
  return [time.getHours(), time.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}

function options(width: number): uPlot.Options {
  const text = tokenColour("--muted");
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: text, font, ticks: { show: false } };
  const bars = uPlot.paths.bars!({ size: [0.8, 24] });
  const series = (token: string): uPlot.Series => ({
    fill: tokenColour(token),
    width: 0,
    points: { show: false },
    paths: bars,
  });
  return {
    width,
    height: HEIGHT,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, highest) => [0, Math.max(highest, 1) * 1.05] } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 72, values: (_, splits) => splits.map(clock) },
      {
        ...axis,
        size: 48,
        grid: { stroke: tokenColour("--border"), width: 1 },
        values: (_, splits) => splits.map((split) => (Number.isInteger(split) ? shortFigure(split) : "")),
      },
    ],
    series: [{}, series("--level-info"), series("--level-error")],
  };
}
