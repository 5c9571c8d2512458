/** Rules as forms: between what the API takes and what people write. */
import type { Kind, Rule, Severity, Spec } from "./model";

/** What stands in the form's fields; spans are written as `5m`, shares as percentages. */
export interface Draft {
  application: string;
  name: string;
  kind: Kind;
  severity: Severity;
  query: string;
  window: string;
  lasting: string;
  groupBy: string;
  side: "above" | "below";
  limit: string;
  resolve: string;
  per: string;
  ofQuery: string;
  minCount: string;
  baseline: string;
  steady: boolean;
  learning: string;
  direction: string;
  factor: string;
  against: string[];
  minScore: string;
  labels: string;
}

export const KIND_TITLES: Record<Kind, string> = {
  threshold: "Too many or too few logs",
  ratio: "Too large or too small a share",
  absence: "Silence where something came before",
  new_template: "A message that was never seen before",
  rate_change: "Far more or less than earlier",
  anomaly: "Whatever the detectors find unusual",
};

const WINDOWS: Partial<Record<Kind, string>> = { absence: "30m", new_template: "1h", rate_change: "5m", ratio: "5m" };
const COUNTED: Partial<Record<Kind, string>> = { ratio: "20", rate_change: "20", new_template: "1" };
const UNITS: [string, number][] = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
];

export function newDraft(application: string, kind: Kind = "threshold"): Draft {
  return {
    application,
    name: "",
    kind,
    severity: "warning",
    query: kind === "absence" || kind === "anomaly" ? "" : "level:>=error",
    window: WINDOWS[kind] ?? "1m",
    lasting: "0s",
    groupBy: "",
    side: "above",
    limit: kind === "ratio" ? "5" : "10",
    resolve: "",
    per: "",
    ofQuery: "",
    minCount: COUNTED[kind] ?? "1",
    baseline: "1d",
    steady: true,
    learning: "1d",
    direction: "above",
    factor: "2",
    against: ["previous"],
    minScore: "0.5",
    labels: "",
  };
}

/** The same draft for another kind, whose usual values take the place of the old one's. */
export function ofKind(draft: Draft, kind: Kind): Draft {
  const { application, name, severity, query, groupBy, labels } = draft;
  return { ...newDraft(application, kind), name, severity, query, groupBy, labels };
}

/** Seconds of "90s", "5m" or "1h 30m"; the text itself where it is none, for the API to refuse. */
export function spanSeconds(text: string): number | string {
  const parts = [...text.matchAll(/(\d+)\s*([smhd])/g)];
  if (parts.length === 0 || text.replaceAll(/(\d+)\s*([smhd])|\s/g, "") !== "") {
    return text;
  }
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS.find(([name]) => name === unit)![1], 0);
}

/** "5m" for 300, of the largest unit that it is whole numbers of. */
export function spanText(seconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size && seconds % size === 0) ?? ["s", 1];
  return `${seconds / size}${unit}`;
}

const number = (text: string): number | string | null => {
  const value = Number(text);
  return text.trim() === "" ? null : Number.isFinite(value) ? value : text;
};
const share = (text: string) => {
  const value = number(text.replace("%", ""));
  return typeof value === "number" ? value / 100 : value;
};
const words = (text: string) => text.split(/[\s,]+/).filter(Boolean);

/** What the API takes: the members of its kind. */
export function ruleOf(draft: Draft): Record<string, unknown> {
  const { kind, name, severity } = draft;
  return { name: name.trim(), severity, labels: labelsOf(draft.labels), kind, ...MEMBERS[kind](draft) };
}

const shared = ({ query, window, lasting }: Draft) => ({
  query: query.trim(),
  window_seconds: spanSeconds(window),
  for_seconds: spanSeconds(lasting || "0s"),
});

function limits({ side, limit, resolve }: Draft, read: (text: string) => unknown) {
  const [fires, resolves] = [read(limit), read(resolve)];
  return side === "above"
    ? { above: fires, resolve_below: resolves, below: null, resolve_above: null }
    : { below: fires, resolve_above: resolves, above: null, resolve_below: null };
}

const MEMBERS: Record<Kind, (draft: Draft) => Record<string, unknown>> = {
  threshold: (draft) => ({
    ...shared(draft),
    ...limits(draft, number),
    per: draft.per || null,
    group_by: words(draft.groupBy),
  }),
  ratio: (draft) => ({
    ...shared(draft),
    ...limits(draft, share),
    of_query: draft.ofQuery.trim(),
    min_count: number(draft.minCount),
    group_by: words(draft.groupBy),
  }),
  absence: (draft) => ({
    ...shared(draft),
    baseline_seconds: spanSeconds(draft.baseline),
    steady: draft.steady,
    group_by: words(draft.groupBy),
  }),
  new_template: (draft) => ({
    ...shared(draft),
    learning_seconds: spanSeconds(draft.learning),
    min_count: number(draft.minCount),
  }),
  rate_change: (draft) => ({
    ...shared(draft),
    direction: draft.direction,
    factor: number(draft.factor),
    against: draft.against,
    min_count: number(draft.minCount),
    group_by: words(draft.groupBy),
  }),
  anomaly: (draft) => ({ min_score: number(draft.minScore) }),
};

/** The form of a rule that there is. */
export function draftOf(rule: Rule): Draft {
  const draft = newDraft(rule.application, rule.kind);
  const isAbove = rule.above !== null && rule.above !== undefined;
  const scale = rule.kind === "ratio" ? 100 : 1;
  const limit = isAbove ? rule.above : rule.below;
  const resolve = isAbove ? rule.resolve_below : rule.resolve_above;
  const scaled = (value: number | null | undefined) =>
    value == null ? "" : String(Number((value * scale).toPrecision(12)));
  return {
    ...draft,
    name: rule.name,
    severity: rule.severity,
    query: rule.query ?? "",
    window: spanText(rule.window_seconds ?? 60),
    lasting: spanText(rule.for_seconds ?? 0),
    groupBy: (rule.group_by ?? []).join(", "),
    side: limit == null || isAbove ? "above" : "below",
    limit: scaled(limit),
    resolve: scaled(resolve),
    per: rule.per ?? "",
    ofQuery: rule.of_query ?? "",
    minCount: String(rule.min_count ?? draft.minCount),
    baseline: spanText(rule.baseline_seconds ?? 86_400),
    steady: rule.steady ?? false,
    learning: spanText(rule.learning_seconds ?? 86_400),
    direction: rule.direction ?? draft.direction,
    factor: String(rule.factor ?? draft.factor),
    against: rule.against ?? draft.against,
    minScore: String(rule.min_score ?? draft.minScore),
    labels: Object.entries(rule.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join("\n"),
  };
}

/** From lines such as `team=payments`. */
function labelsOf(text: string): Record<string, string> {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf("=");
      return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }),
  );
}

/** What a rule looks for, in words: "more than 50 logs in 1m: level:>=error". */
export function described(rule: Spec): string {
  const window = spanText(rule.window_seconds ?? 60);
  const lasting = rule.for_seconds ? ` for ${spanText(rule.for_seconds)}` : "";
  const grouped = rule.group_by?.length ? ` by ${rule.group_by.join(", ")}` : "";
  return `${looksFor(rule, window)}${lasting}${grouped}`;
}

function looksFor(rule: Spec, window: string): string {
  switch (rule.kind) {
    case "threshold":
      return `${compared(rule, String)} logs${rule.per ? ` a ${rule.per}` : ""} in ${window}`;
    case "ratio":
      return `${compared(rule, (value) => `${Number((value * 100).toPrecision(12))} %`)} of ${rule.of_query || "all logs"} in ${window}`;
    case "absence":
      return `no log in ${window}`;
    case "new_template":
      return `a message not seen before, in ${window}`;
    case "rate_change":
      return `${rule.factor} times ${{ above: "more", below: "fewer" }[rule.direction ?? ""] ?? "more or fewer"} logs in ${window} than before`;
    case "anomaly":
      return `an anomaly with a score of ${rule.min_score} or more`;
  }
}

function compared({ above, below }: Spec, text: (value: number) => string): string {
  return above == null ? `fewer than ${text(below ?? 0)}` : `more than ${text(above)}`;
}
