/** Rules, incidents, and who is told, as the API gives them. */
import { get, patch, post, type Query, remove, request } from "../api";

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

/** When a rule would have fired, as far as it was tried. */
export interface Backtest {
  would_fire: { from: string | null; until: string | null; observed: number | null; group: Record<string, string> }[];
  /** What was seen in the worst window of each stretch of time. */
  timeline: { until: string; observed: number | null; fires: boolean }[];
  evaluated_until: string;
  /** The rest is to be asked for with it. */
  next_cursor: string | null;
}

export const CHANNEL_KINDS = ["webhook", "slack", "email", "sns"] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];

export interface Channel {
  id: string;
  application: string;
  name: string;
  kind: ChannelKind;
  /** Only what serves to recognise it. */
  target: string;
  min_severity: Severity;
  enabled: boolean;
  last_attempt: { result: "delivered" | "failed" | "refused"; code: string; at: string } | null;
}

/** Of a webhook, with the secret that is shown this once. */
export type MadeChannel = Channel & { signing_secret?: string };

export interface ChannelTest {
  delivered: boolean;
  code: string;
  status: number | null;
  detail: string;
}

export interface Matcher {
  label: string;
  is: "=" | "!=" | "=~";
  value: string;
}

interface Muting {
  id: string;
  application: string;
  matchers: Matcher[];
  comment: string;
  created_by: string;
}

export interface Silence extends Muting {
  status: "pending" | "active" | "expired";
  starts_at: string;
  ends_at: string;
}

export interface Weekly {
  weekdays: string[];
  start: string;
  duration_minutes: number;
  time_zone: string;
}

export interface MaintenanceWindow extends Muting {
  starts_at: string | null;
  ends_at: string | null;
  weekly: Weekly | null;
}

export interface Delivery {
  event: number;
  kind: IncidentEvent["kind"];
  channel: { id: string; name: string; kind: ChannelKind };
  status: "pending" | "delivered" | "failed" | "held" | "silenced" | "skipped";
  reason: string | null;
  attempts: number;
  last_attempt: { result: string; code: string; detail: string | null; at: string } | null;
  decided_at: string;
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

/** Tries a rule, part by part; `show` gets what is known after each. */
export async function testRule(
  asked: { application?: string; rule: object; since: string },
  signal: AbortSignal,
  show: (known: Backtest) => void,
): Promise<void> {
  const earlier: Pick<Backtest, "would_fire" | "timeline"> = { would_fire: [], timeline: [] };
  let cursor: string | null = null;
  do {
    const body: object = cursor ? { ...asked, cursor } : asked;
    const part: Backtest = await request<Backtest>("POST", "api/rules/test", { body, signal });
    earlier.would_fire.push(...part.would_fire);
    earlier.timeline.push(...part.timeline);
    show({ ...part, would_fire: [...earlier.would_fire], timeline: [...earlier.timeline] });
    cursor = part.next_cursor;
  } while (cursor);
}

const channelPath = (id: string) => `api/channels/${encodeURIComponent(id)}`;

export const listChannels = async (signal: AbortSignal) =>
  (await get<{ channels: Channel[] }>("api/channels", { query: { limit: MOST }, signal })).channels;
export const createChannel = async (channel: object) =>
  (await post<{ channel: MadeChannel }>("api/channels", channel)).channel;
export const changeChannel = (id: string, change: object) => patch(channelPath(id), change);
export const deleteChannel = (id: string) => remove(channelPath(id));
export const testChannel = (id: string) => post<ChannelTest>(`${channelPath(id)}/test`);
export const rotateSecret = async (id: string) =>
  (await post<{ channel: MadeChannel }>(`${channelPath(id)}/rotate`)).channel;
export const listSilences = async (signal: AbortSignal) =>
  (await get<{ silences: Silence[] }>("api/silences", { query: { limit: MOST }, signal })).silences;
export const createSilence = (silence: object) => post("api/silences", silence);
export const endSilence = (id: string) => remove(`api/silences/${encodeURIComponent(id)}`);
export const listWindows = async (signal: AbortSignal) =>
  (await get<{ maintenance_windows: MaintenanceWindow[] }>("api/maintenance-windows", { signal })).maintenance_windows;
export const createWindow = (window: object) => post("api/maintenance-windows", window);
export const deleteWindow = (id: string) => remove(`api/maintenance-windows/${encodeURIComponent(id)}`);
export const listDeliveries = async (incident: string, signal: AbortSignal) =>
  (await get<{ deliveries: Delivery[] }>("api/deliveries", { query: { incident, limit: MOST }, signal })).deliveries;
