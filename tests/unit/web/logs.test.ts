import assert from "node:assert/strict";
import { test } from "node:test";
import { rowCount } from "../../../functions/dashboard/web/src/logs/csv.ts";
import { arrived, MAX_FOLLOWED, NOTHING, released } from "../../../functions/dashboard/web/src/logs/following.ts";
import { intervalRange, intervalText, stacked, totals } from "../../../functions/dashboard/web/src/logs/histogram.ts";
import {
  completionAt,
  hasTerm,
  learn,
  soughtTexts,
  term,
  tokenise,
  utf16Index,
  withoutTerm,
  withTerm,
} from "../../../functions/dashboard/web/src/logs/language.ts";
import { columnValue } from "../../../functions/dashboard/web/src/logs/model.ts";
import { append, EMPTY, MAX_ROWS, prepend, rowsOf } from "../../../functions/dashboard/web/src/logs/pages.ts";
import { firstLine, pieces, toJson } from "../../../functions/dashboard/web/src/text.ts";
import {
  clockTime,
  longerRanges,
  moved,
  rangeTitle,
  readTime,
  resolve,
  widened,
} from "../../../functions/dashboard/web/src/time.ts";
import { DEFAULT_VIEW, searchOf, viewFrom } from "../../../functions/dashboard/web/src/logs/url.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");

// As GET /api/query-language describes them.
learn([
  { name: "application", aliases: ["app"], meaning: "", values: [] },
  { name: "trace_id", aliases: ["trace"], meaning: "", values: [] },
]);

test("a query in pieces is the query", () => {
  for (const query of ['level:error app:"a b" -x', "(a OR b) NOT c*", 'metadata."odd key":"\\"" "open', "-", ":", '"\\']) {
    assert.equal(tokenise(query).map(({ text }) => text).join(""), query);
  }
  const kinds = tokenise('-app:x "y z" OR').map(({ kind }) => kind);
  assert.deepEqual(kinds, ["operator", "field", "value", "blank", "phrase", "blank", "operator"]);
});

test("terms are added once, in place of their opposite, and taken out", () => {
  assert.equal(term("metadata.user id", 'a"b'), 'metadata."user id":"a\\"b"');
  assert.equal(term("trace_id", "00ab", true), "-trace:00ab");
  assert.equal(withTerm("x", "level:error"), "x level:error");
  assert.equal(withTerm("x level:error", "level:error"), "x level:error");
  assert.equal(withTerm("-level:error x", "level:error"), "x level:error");
  assert.equal(withTerm("a OR b", "app:c"), "(a OR b) app:c");
  assert.equal(withoutTerm("a (b app:c) app:c", "app:c"), "a (b app:c)");
  assert.equal(withoutTerm("a OR app:c", "app:c"), "a OR app:c");
  assert.ok(hasTerm('a -app:"b c"', '-app:"b c"'));
  assert.ok(!hasTerm("(app:c)", "app:c"));
  assert.equal(term("service", "x y"), 'service:"x y"');
});

test("completion knows the term at the caret", () => {
  assert.deepEqual(completionAt("lev", 3), { kind: "field", field: "", prefix: "lev", start: 0, end: 3 });
  const value = completionAt("a -app:che b", 10);
  assert.deepEqual(value, { kind: "value", field: "application", prefix: "che", start: 7, end: 10 });
  assert.equal(completionAt("metadata.http.st", 16)?.prefix, "metadata.http.st");
  assert.equal(completionAt('"a phr', 6), null);
});

test("what a match holds is marked, nothing else", () => {
  assert.deepEqual(soughtTexts('refus* "a \\"b" -x NOT y level:error'), ["refus", 'a "b']);
  const shown = pieces("Refused (refused)", ["refused"]);
  assert.deepEqual(shown.filter(({ isMatch }) => isMatch).map(({ text }) => text), ["Refused", "refused"]);
  assert.equal(pieces("a.b", [".*"]).length, 1);
});

test("nothing in a log's text stays invisible", () => {
  assert.equal(pieces("\u001b[31mred\u001b[0m\u0007\u202e\u200b", []).map(({ text }) => text).join("|"), "red|\u2407|U+202E|U+200B");
  assert.deepEqual(pieces("tab\tand\nline", []), [{ text: "tab\tand\nline" }]);
  assert.deepEqual(firstLine("a\r\n  b\n"), { text: "a ⏎   b", isCut: false });
  assert.ok(firstLine("x".repeat(5_000)).isCut);
});

test("positions count characters, not halves of them", () => {
  assert.equal(utf16Index("😀 x:", 2), 3);
});

test("times are read in the zone shown, and never guessed", () => {
  assert.equal(readTime("2026-11-24 12:00", "utc"), "2026-11-24T12:00:00.000Z");
  assert.equal(readTime("2026-11-24T12:00:00+01:00", "utc"), "2026-11-24T11:00:00.000Z");
  assert.equal(readTime(" 2h30m ", "utc"), "-2h30m");
  assert.equal(readTime("now", "utc"), "");
  for (const wrong of ["yesterday", "24.11.2026", "2026-13-01", "-5y", "<script>"]) {
    assert.equal(readTime(wrong, "utc"), null, wrong);
  }
  assert.equal(resolve("-2h30m", NOW), NOW - 9_000_000);
  assert.equal(clockTime("2026-11-24T12:00:00.123456+00:00", "utc", false), "12:00:00.123");
});

test("ranges have titles and neighbours", () => {
  assert.equal(rangeTitle({ since: "-15m", until: "" }, "utc"), "Last 15 minutes");
  const range = { since: "2026-11-24T10:00:00.000Z", until: "2026-11-24T11:00:00.000Z" };
  assert.equal(rangeTitle(range, "utc"), "2026-11-24 10:00:00 – 11:00:00");
  assert.deepEqual(moved(range, -1, NOW), { since: "2026-11-24T09:00:00.000Z", until: "2026-11-24T10:00:00.000Z" });
  assert.equal(moved({ since: "-15m", until: "" }, 1, NOW), null);
  assert.deepEqual(widened(range, NOW), { since: "2026-11-24T09:30:00.000Z", until: "2026-11-24T11:30:00.000Z" });
  assert.deepEqual(longerRanges({ since: "-24h", until: "" }, NOW), ["-7d", "-30d"]);
});

test("a URL holds the view, and only what differs from the usual", () => {
  assert.equal(searchOf(DEFAULT_VIEW).toString(), "");
  const view = {
    ...DEFAULT_VIEW,
    q: 'a "b&c"',
    since: "-1h",
    order: "asc" as const,
    columns: ["host", "metadata.a,b"],
    wraps: true,
    log: "x-1",
    isTailing: true,
  };
  assert.deepEqual(viewFrom(new URLSearchParams(searchOf(view).toString())), view);
  assert.deepEqual(viewFrom(new URLSearchParams("order=sideways&until=now")), DEFAULT_VIEW);
});

const COUNTS = {
  since: "2026-11-24T12:00:00Z",
  until: "2026-11-24T12:02:00Z",
  interval_seconds: 60,
  starts: ["2026-11-24T12:00:00Z", "2026-11-24T12:01:00Z"],
  series: [
    { value: "INFO", counts: [5, 1] },
    { value: "ERROR", counts: [2, 0] },
  ],
  total: 8,
  partial: false,
};

test("errors are at the bottom of the stack", () => {
  const { tops } = stacked(COUNTS);
  assert.deepEqual(tops, [[0, 0], [2, 0], [2, 0], [7, 1], [7, 1]]);
  assert.deepEqual(totals(COUNTS), { DEBUG: 0, INFO: 6, WARNING: 0, ERROR: 2, CRITICAL: 0 });
  assert.deepEqual(intervalRange(COUNTS, 1, 0), [NOW, NOW + 120_000]);
  assert.equal(intervalText(stacked(COUNTS), 0), "2 error, 5 info");
});

const log = (id: string) => ({ id }) as never;
const page = (first: number, count: number) => ({
  logs: Array.from({ length: count }, (_, at) => log(`${first + at}`)),
  next_cursor: `after ${first + count}`,
  previous_cursor: first > 0 ? `before ${first}` : null,
  partial: false,
});

test("pages move over a result of any length, and come back", () => {
  let window = EMPTY;
  for (let first = 0; first < MAX_ROWS + 3_000; first += 1_000) {
    window = append(window, page(first, 1_000));
  }
  assert.equal(rowsOf([], window).length, MAX_ROWS);
  assert.ok(window.isCutBefore);
  assert.equal(window.pages[0]!.previous_cursor, "before 3000");
  for (let first = 2_000; first >= 0; first -= 1_000) {
    window = prepend(window, page(first, 1_000));
  }
  assert.ok(!window.isCutBefore);
  assert.equal(rowsOf([], window).length, MAX_ROWS);
  assert.equal(window.pages.at(-1)!.next_cursor, `after ${MAX_ROWS}`);
  assert.equal(rowsOf([log("0"), log("new")], window).length, MAX_ROWS + 1);
});

test("the tail waits while somebody reads, and forgets only with a word", () => {
  let tail = arrived(NOTHING, [log("1"), log("2")], false);
  tail = arrived(tail, [log("3")], true);
  assert.deepEqual([tail.shown.length, tail.waiting.length], [2, 1]);
  assert.deepEqual(released(tail).shown.map(({ id }) => id), ["3", "2", "1"]);
  for (let at = 0; at <= MAX_FOLLOWED; at += 500) {
    tail = arrived(tail, page(10 + at, 500).logs, true);
  }
  assert.equal(tail.waiting.length, MAX_FOLLOWED);
  assert.ok(tail.hasGap);
});

test("columns reach into the metadata, never into prototypes", () => {
  const record = { metadata: { "a.b": 1, http: { status: 502 } } } as never;
  assert.equal(columnValue(record, "metadata.a.b"), 1);
  assert.equal(columnValue(record, "metadata.http.status"), 502);
  assert.equal(columnValue(record, "metadata.constructor"), undefined);
  assert.equal(columnValue({ metadata: null } as never, "metadata.x"), undefined);
});

test("large integers keep their digits", () => {
  assert.equal(toJson({ id: 9007199254740993n }), '{"id":9007199254740993}');
});

test("rows of CSV end at line breaks outside of quotes", () => {
  assert.equal(rowCount('a,"b\nc""\n"\nd,e\n'), 2);
});
