/** Rules, incidents, and who is told, as the API gives them. */
import { get, patch, post, type Query, remove } from "../api";

export const SEVERITIES = ["critical", "warning", "info"] as const;
export const KINDS = ["threshold", "ratio", "absence", "new_template", "rate_change", "anomaly"] as const;
export type Severity = (typeof SEVERITIES)[number];
export type Kind = (typeof KINDS)[number];

export interface Incident {
  id: string;
  application: string;
  source: "rule" | "anomaly";
  rule: { id: number | null; name: string; kind: string };
  title: string;
  /** What was seen, in which window, against what. */
  sentence: string;
  severity: Severity;
  status: "firing" | "resolved";
  labels: Record<string, string>;
  opened_at: string;
  resolved_at: string | null;
  /** Late logs showed that it never was. */
  withdrawn: boolean;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  acknowledge_note: string | null;
  observed: number | null;
  threshold: number | null;
  query: string;
  window: { from: string; until: string };
  silenced: boolean;
}

export interface IncidentEvent {
  id: number;
  kind: "firing" | "resolved" | "corrected" | "acknowledged";
  created_at: string;
  payload: {
    sentence: string;
    samples: { id: string; timestamp: string; level: string; message: string }[];
    acknowledged: { by: string; note: string | null } | null;
  };
}

export interface IncidentDetail {
  incident: Incident;
  events: IncidentEvent[];
}

export interface IncidentPage {
  incidents: Incident[];
  next_cursor: string | null;
}

/** What a rule says. Which members there are depends on its kind. */
export interface Spec {
  kind: Kind;
  query?: string;
  window_seconds?: number;
  for_seconds?: number;
  group_by?: string[];
  above?: number | null;
  below?: number | null;
  resolve_above?: number | null;
  resolve_below?: number | null;
  per?: string | null;
  of_query?: string;
  min_count?: number;
  baseline_seconds?: number;
  steady?: boolean;
  learning_seconds?: number;
  direction?: string;
  factor?: number;
  against?: string[];
  min_score?: number;
}

export interface Rule extends Spec {
  id: number;
  application: string;
  name: string;
  severity: Severity;
  labels: Record<string, string>;
  enabled: boolean;
  origin: "default" | "user";
  state: "ok" | "pending" | "firing";
  last_evaluated_at: string | null;
  groups_cut: boolean;
  failure: { code: string; detail: string | null; since: string | null } | null;
}

const incidentPath = (id: string) => `api/incidents/${encodeURIComponent(id)}`;
const MOST = 500;

export const listIncidents = (query: Query, signal?: AbortSignal) =>
  get<IncidentPage>("api/incidents", { query, ...(signal ? { signal } : {}) });
export const showIncident = (id: string, signal: AbortSignal) => get<IncidentDetail>(incidentPath(id), { signal });
export const acknowledge = (id: string, note: string) => post(`${incidentPath(id)}/acknowledge`, note ? { note } : {});
export const listRules = async (signal: AbortSignal) =>
  (await get<{ rules: Rule[] }>("api/rules", { query: { limit: MOST }, signal })).rules;
export const showRule = async (id: string, signal: AbortSignal) =>
  (await get<{ rule: Rule }>(`api/rules/${encodeURIComponent(id)}`, { signal })).rule;
export const createRule = (rule: object) => post<{ rule: Rule }>("api/rules", rule);
export const changeRule = (id: number, change: object) => patch<{ rule: Rule }>(`api/rules/${id}`, change);
export const deleteRule = (id: number) => remove(`api/rules/${id}`);
