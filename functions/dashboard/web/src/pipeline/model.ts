/** What the pipeline says about itself. */
import { get, post, type Query } from "../api";

export interface Totals {
  accepted: number;
  stored: number;
  duplicate: number;
  dead_lettered: number;
  in_flight: number;
  unaccounted: number;
  queue_rolled_back: boolean;
}

export interface Ledger {
  applications: (Totals & { application: string })[];
  total: Totals;
}

export interface Shard {
  shard: number;
  entry_count: number;
  size_bytes: number;
  oldest_seconds: number | null;
  group: { pending_count: number; consumers: { name: string; pending_count: number; idle_seconds: number }[] } | null;
}

export interface Minute {
  minute: string;
  stored: number;
  duplicate: number;
  dead_lettered: number;
}

export interface Drain {
  mode: "wake" | "tick";
  is_lingering: boolean;
  last_wake_at: string | null;
  last_start_at: string | null;
}

export interface Pipeline {
  drain: Drain;
  backlog: { entries: number; bytes: number; limit_bytes: number; lag_seconds: number | null };
  shards: Shard[];
  /** Null while the database is away, as the next. */
  dead_letters: { open: number; is_capped: boolean } | null;
  throughput: { minutes: Minute[]; is_cut: boolean } | null;
}

export interface DeadLetter {
  id: number;
  application: string | null;
  reason: string;
  detail: string;
  attempts: number;
  status: "open" | "redriven" | "dropped";
  batch_id: string | null;
  position: number | null;
  received_at: string | null;
  dead_lettered_at: string;
  queued?: string;
}

export interface DeadLetterPage {
  dead_letters: DeadLetter[];
  next_before: number | null;
}

export const readPipeline = (signal: AbortSignal) => get<Pipeline>("api/pipeline", { signal });
export const readLedger = (signal: AbortSignal) => get<Ledger>("api/ledger", { signal });
export const listDeadLetters = (query: Query, signal?: AbortSignal) =>
  get<DeadLetterPage>("api/dead-letters", { query, ...(signal ? { signal } : {}) });
export const showDeadLetter = async (id: number, signal: AbortSignal) =>
  (await get<{ dead_letter: DeadLetter }>(`api/dead-letters/${id}`, { signal })).dead_letter;
export const redrive = (ids: number[]) =>
  post<{ redriven: number; failed: number }>("api/dead-letters/redrive", { ids });
export const drop = (ids: number[]) => post<{ dropped: number }>("api/dead-letters/drop", { ids });
