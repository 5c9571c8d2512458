/** Counts over time in the shape uPlot draws: stacked, the severest level at the bottom, where a few errors among many
 *  other logs are still seen. */
import { LEVELS, type Level } from "../levels.ts";
import type { Counts } from "./model.ts";

export const STACK = [...LEVELS].reverse();

export interface Stacked {
  /** Seconds since 1970, the start of each interval. */
  starts: number[];
  /** Of each level in STACK's order, how high it reaches. */
  tops: number[][];
  /** Of each level in STACK's order. */
  counts: number[][];
}

export function stacked(answer: Counts): Stacked {
  const starts = answer.starts.map((start) => Date.parse(start) / 1_000);
  const counts = STACK.map(
    (level) => answer.series.find(({ value }) => value.toUpperCase() === level)?.counts ?? starts.map(() => 0),
  );
  const heights = starts.map(() => 0);
  const tops = counts.map((level) =>
    level.map((count, at) => {
      heights[at]! += count;
      return heights[at]!;
    }),
  );
  return { starts, tops, counts };
}

/** How many logs there are of each level. */
export function totals(answer: Counts): Record<Level, number> {
  const { counts } = stacked(answer);
  const sums = STACK.map((level, at) => [level, counts[at]!.reduce((sum, count) => sum + count, 0)]);
  return Object.fromEntries(sums) as Record<Level, number>;
}

/** The intervals `first` to `last`, whichever is the earlier, as a range of time in milliseconds. */
export function intervalRange(answer: Counts, first: number, last: number): [number, number] {
  const [from, to] = [Math.min(first, last), Math.max(first, last)];
  const start = Date.parse(answer.starts[from]!);
  return [start, Date.parse(answer.starts[to]!) + answer.interval_seconds * 1_000];
}

/** What an interval holds, in words: "12 error, 3 info". */
export function intervalText({ counts }: Stacked, at: number): string {
  const words = STACK.map((level, index) => ({ level, count: counts[index]![at] ?? 0 })).filter(
    ({ count }) => count > 0,
  );
  return words.map(({ level, count }) => `${count} ${level.toLowerCase()}`).join(", ") || "no logs";
}
