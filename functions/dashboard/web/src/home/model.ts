/** What the home page asks, besides what other pages do. */
import { get } from "../api";
import type { Counts } from "../logs/model";

const BUCKETS = 36;
const SINCE = "-3h";

/** Of an application: logs over time, and those of level error and above. */
export interface Volume {
  application: string;
  counts: number[];
  errors: number[];
  total: number;
  errorTotal: number;
}

export interface Volumes {
  applications: Volume[];
  /** Not all of the time could be counted in the time there was. */
  partial: boolean;
}

export async function readVolumes(signal: AbortSignal): Promise<Volumes> {
  const count = (q: string) =>
    get<Counts>("api/histogram", { query: { q, since: SINCE, by: "application", buckets: BUCKETS }, signal });
  const [all, errors] = await Promise.all([count(""), count("level:>=error")]);
  return { applications: volumesOf(all, errors), partial: all.partial || errors.partial };
}

/** The one with the most errors first; without any, the one with the most logs. */
export function volumesOf(all: Counts, errors: Counts): Volume[] {
  const failed = new Map(errors.series.map(({ value, counts }) => [value, counts]));
  const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);
  return all.series
    .map(({ value, counts }) => {
      const own = failed.get(value) ?? counts.map(() => 0);
      return { application: value, counts, errors: own, total: sum(counts), errorTotal: sum(own) };
    })
    .sort((one, other) => other.errorTotal - one.errorTotal || other.total - one.total);
}
