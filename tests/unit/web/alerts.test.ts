import assert from "node:assert/strict";
import { test } from "node:test";
import { matchersOf, matcherText, weeklyText } from "../../../functions/dashboard/web/src/alerts/muting.ts";
import type { Rule } from "../../../functions/dashboard/web/src/alerts/model.ts";
import {
  described,
  draftOf,
  newDraft,
  ofKind,
  ruleOf,
  spanSeconds,
  spanText,
} from "../../../functions/dashboard/web/src/alerts/rule.ts";

const RULE = {
  application: "shop",
  name: "Payments fail",
  severity: "critical",
  labels: { team: "payments", "on call": "a=b" },
} as Partial<Rule>;
const COMMON = { query: "level:>=error", window_seconds: 300, for_seconds: 120 };
const KINDS: Partial<Rule>[] = [
  { kind: "threshold", ...COMMON, above: 50, resolve_below: 25, below: null, resolve_above: null, per: "minute", group_by: ["host"] },
  { kind: "threshold", ...COMMON, below: 1, resolve_above: null, above: null, resolve_below: null, per: null, group_by: [] },
  { kind: "ratio", ...COMMON, above: 0.07, resolve_below: 0.05, below: null, resolve_above: null, of_query: "x", min_count: 20, group_by: [] },
  { kind: "absence", ...COMMON, baseline_seconds: 86_400, steady: true, group_by: ["host", "metadata.region"] },
  { kind: "new_template", ...COMMON, learning_seconds: 5_400, min_count: 3 },
  { kind: "rate_change", ...COMMON, direction: "both", factor: 2.5, against: ["day", "week"], min_count: 20, group_by: [] },
  { kind: "anomaly", min_score: 0.5 },
];

test("a rule comes out of its form as it went in", () => {
  for (const kind of KINDS) {
    const { application, ...rule } = { ...RULE, ...kind };
    assert.deepEqual(ruleOf(draftOf({ application, ...rule } as Rule)), rule);
  }
});

test("what cannot be understood is left to the API to refuse", () => {
  const draft = { ...newDraft("shop"), limit: "many", window: "soon", resolve: " " };
  const rule = ruleOf(draft);
  assert.deepEqual([rule.above, rule.window_seconds, rule.resolve_below], ["many", "soon", null]);
  assert.equal(ruleOf({ ...newDraft("shop", "ratio"), limit: "5 %" }).above, 0.05);
});

test("another kind has its own usual values, and keeps what is common", () => {
  const draft = ofKind({ ...newDraft("shop"), name: "x", query: "y", limit: "77" }, "ratio");
  assert.deepEqual([draft.name, draft.query, draft.limit, draft.window], ["x", "y", "5", "5m"]);
});

test("spans are read and written", () => {
  assert.deepEqual(["90s", "1h 30m", "1h30m", "2d", "", "1", "5x", "1m x"].map(spanSeconds), [
    90, 5_400, 5_400, 172_800, "", "1", "5x", "1m x",
  ]);
  assert.deepEqual([0, 45, 60, 90, 3_600, 86_400].map(spanText), ["0s", "45s", "1m", "90s", "1h", "1d"]);
});

test("rules are described in words", () => {
  assert.deepEqual(
    KINDS.map((kind) => described(kind as Rule)),
    [
      "more than 50 logs a minute in 5m for 2m by host",
      "fewer than 1 logs in 5m for 2m",
      "more than 7 % of x in 5m for 2m",
      "no log in 5m for 2m by host, metadata.region",
      "a message not seen before, in 5m for 2m",
      "2.5 times more or fewer logs in 5m than before for 2m",
      "an anomaly with a score of 0.5 or more",
    ],
  );
});

test("matchers are read from lines and written as they were", () => {
  const lines = ["rule=More than 50 errors (host=web-1)", "severity!=critical", "host=~web-.*", "empty="];
  assert.deepEqual(matchersOf(lines.join("\n")).map(matcherText), lines);
  assert.deepEqual(matchersOf(" a = b \n\n")[0], { label: "a", is: "=", value: "b" });
  assert.deepEqual(matchersOf("nonsense"), [{ label: "nonsense", is: "=", value: "" }]);
});

test("weekly windows are told in words", () => {
  const weekly = { weekdays: ["monday", "sunday"], start: "02:00", duration_minutes: 60, time_zone: "Europe/Berlin" };
  assert.equal(weeklyText(weekly), "mon, sun at 02:00 for 60 min, Europe/Berlin");
});
