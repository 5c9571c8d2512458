/** A log as the API gives it. Everything in it came from outside. */
import type { Level } from "../levels";

/** Five characters at most, for rows. */
export const LEVEL_TAGS: Record<Level, string> = {
  DEBUG: "DEBUG",
  INFO: "INFO",
  WARNING: "WARN",
  ERROR: "ERROR",
  CRITICAL: "CRIT",
};

/** Text fields a log may have, in the order they are shown in. */
export const TEXT_FIELDS = ["service", "host", "logger", "version", "trace_id", "span_id", "session_id"] as const;

export interface Log {
  id: string;
  application: string;
  /** When it happened, says the sender: ISO, UTC, microseconds. */
  timestamp: string;
  received_at: string;
  level: Level;
  message: string;
  metadata: unknown;
  flags: string[];
  [field: string]: unknown;
}

export interface Page {
  logs: Log[];
  next_cursor: string | null;
  previous_cursor: string | null;
  /** The budget was used up before the page was full: go on with `next_cursor`. */
  partial: boolean;
}

export interface Context {
  log: Log;
  /** Both oldest first. */
  before: Log[];
  after: Log[];
}

export interface Counts {
  since: string;
  until: string;
  interval_seconds: number;
  starts: string[];
  series: { value: string; counts: number[] }[];
  total: number;
  partial: boolean;
}

export interface Facet {
  field: string;
  values: { value: string; count: number }[];
  other_count: number;
  total: number;
  partial: boolean;
}

export interface TailAnswer {
  /** In the order they were stored in. */
  logs: Log[];
  cursor: string;
  is_behind: boolean;
}

/** The value of a column: a field, or a path in the metadata such as `metadata.http.status`. */
export function columnValue(log: Log, column: string): unknown {
  if (!column.startsWith("metadata.")) {
    return log[column];
  }
  const key = column.slice("metadata.".length);
  const whole = member(log.metadata, key);
  return whole === undefined ? key.split(".").reduce(member, log.metadata) : whole;
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
