/** What the detectors found, as the API gives it. */
import { get, put, type Query } from "../api";
import { term, withTerm } from "../logs/language";

export const KINDS = [
  "new_template",
  "rare_template",
  "spike",
  "burst",
  "ramp",
  "shift",
  "drop",
  "silence",
  "session",
] as const;

export type Verdict = "useful" | "noise";

export interface Anomaly {
  id: number;
  application: string;
  kind: (typeof KINDS)[number];
  level: string | null;
  templates: { id: number; text: string }[];
  onset: string;
  last_seen: string;
  status: "open" | "closed";
  /** From 0 to 1. */
  score: number;
  observed: number;
  expected: number;
  /** What stands out most, and what it is compared with. */
  window: { from: string; until: string };
  baseline: { from: string; until: string };
  sentence: string;
  /** Shows the logs within their application; empty: all. */
  query: string;
  /** Of the logs; it began when they did. */
  version: string | null;
  /** Ids of logs. */
  samples: string[];
  feedback: Verdict | null;
  /** Late logs showed that there was nothing. */
  corrected: boolean;
  /** It is like one that was called noise: nobody is told. */
  muted: boolean;
}

export interface Series {
  starts: string[];
  observed: number[];
  expected: number[];
}

export interface AnomalyPage {
  anomalies: Anomaly[];
  next_cursor: string | null;
}

export interface AnomalyDetail {
  anomaly: Anomaly;
  /** Of the rate that led to it. */
  series: Series;
}

export const listAnomalies = (query: Query, signal?: AbortSignal) =>
  get<AnomalyPage>("api/anomalies", { query, ...(signal ? { signal } : {}) });
export const showAnomaly = (id: string, signal: AbortSignal) =>
  get<AnomalyDetail>(`api/anomalies/${encodeURIComponent(id)}`, { signal });

export const judge = (id: number, verdict: Verdict | null) => put(`api/anomalies/${id}/feedback`, { verdict });

/** "new template" */
export const kindTitle = (kind: string) => kind.replaceAll("_", " ");

/** The logs it is about, of its application. */
export function logsQuery({ query, application }: Anomaly): string {
  return withTerm(query, term("application", application));
}
