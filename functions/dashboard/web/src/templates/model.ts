/** Templates as the API gives them: a message with its values as `<*>`. */
import { get, patch, type Query } from "../api";

export interface Template {
  id: number;
  application: string;
  text: string;
  /** That somebody gave it. */
  name: string | null;
  ignored: boolean;
  count: number;
  /** Of all logs of the time, from 0 to 1. */
  share: number;
  levels: Partial<Record<string, number>>;
  first_seen: string;
  last_seen: string | null;
  trend: number[];
}

/** A time, and the intervals of the trends. */
export interface Span {
  since: string;
  until: string;
  interval_seconds: number;
  starts: string[];
}

export interface Templates extends Span {
  templates: (Template & { example: string | null })[];
  total: number;
  unclustered: number;
  health: { application: string; templates: number; overflowed_at: string | null }[];
}

export interface Place {
  distinct: number;
  top: { value: string; count: number }[];
  number: { least: number; mean: number; most: number } | null;
}

export interface Member {
  id: number;
  text: string;
  created_at: string;
  merged_into: number | null;
  merged_by: "person" | "miner" | null;
  /** Somebody keeps it apart from what the miner makes of it. */
  split: boolean;
}

export interface Changed {
  change_id: number;
  template_id: number;
  key_id: string;
  was: Edit;
  became: Edit;
  changed_at: string;
}

export interface TemplateDetail extends Span {
  template: Template;
  parameters: { sampled: number; places: Place[] };
  examples: string[];
  members: Member[];
  changes: Changed[];
}

/** As it is stored in the history. */
export interface Edit {
  name?: string | null;
  is_ignored?: boolean;
  is_split?: boolean;
  merged_into?: number | null;
}

export interface TemplateChange {
  name?: string | null;
  ignored?: boolean;
  merged_into?: number | null;
  split?: boolean;
}

const BUCKETS = 60;

export const listTemplates = (query: Query, signal: AbortSignal) =>
  get<Templates>("api/templates", { query: { ...query }, signal });
export const showTemplate = (id: string, since: string, signal: AbortSignal) =>
  get<TemplateDetail>(`api/templates/${encodeURIComponent(id)}`, { query: { since, buckets: BUCKETS }, signal });
export const changeTemplate = (id: number, change: TemplateChange) => patch(`api/templates/${id}`, change);
