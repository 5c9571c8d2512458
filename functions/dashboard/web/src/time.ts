/** Time ranges as the URL holds them: relative (`-15m`), or absolute in UTC; and times for people, in UTC or theirs. */

export type Zone = "local" | "utc";

/** `until` empty: now, and whatever is stamped later. */
export interface TimeRange {
  since: string;
  until: string;
}

export const DEFAULT_RANGE: TimeRange = { since: "-15m", until: "" };
export const QUICK_RANGES = ["-5m", "-15m", "-1h", "-3h", "-12h", "-24h", "-3d", "-7d", "-30d"];
const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };
const UNIT_NAMES: Record<string, string> = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };
const SPAN = /^-(?:\d{1,9}[smhdw])+$/;

/** Milliseconds since 1970, or null for what is no time. */
export function resolve(text: string, now: number): number | null {
  if (text === "" || text === "now") {
    return now;
  }
  if (SPAN.test(text)) {
    return now - spanSeconds(text) * 1_000;
  }
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}

export const isRelative = (text: string) => SPAN.test(text);

function spanSeconds(text: string): number {
  return [...text.matchAll(/(\d+)([smhdw])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * UNIT_SECONDS[unit!]!,
    0,
  );
}

/** What somebody typed, as the URL holds it; times without a zone are in `zone`. Null: not understood. */
export function readTime(typed: string, zone: Zone): string | null {
  const text = typed.trim().toLowerCase();
  if (text === "" || text === "now") {
    return "";
  }
  const span = `-${text.replace(/^-/, "").replace(/\s+/g, "")}`;
  if (SPAN.test(span)) {
    return span;
  }
  const parts =
    /^(\d{4})-(\d\d?)-(\d\d?)(?:[t ]+(\d\d?):(\d\d)(?::(\d\d(?:\.\d{1,6})?))?)?\s*(z|utc|[+-]\d\d:?\d\d)?$/.exec(text);
  if (!parts) {
    return null;
  }
  const [, year, month, day, hour = "0", minute = "00", second = "00", offset] = parts;
  const pad = (number: string) => number.padStart(2, "0");
  const written = `${year}-${pad(month!)}-${pad(day!)}T${pad(hour)}:${minute}:${second}`;
  const suffix = offset ? (offset === "utc" ? "Z" : offset.toUpperCase()) : zone === "utc" ? "Z" : "";
  const time = new Date(written + suffix);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}

/** A range for a button: "Last 15 minutes", or its two ends in `zone`. */
export function rangeTitle({ since, until }: TimeRange, zone: Zone): string {
  if (isRelative(since) && until === "") {
    return `Last ${spanTitle(since)}`;
  }
  const [from, to] = [since, until].map((end) =>
    end === "" ? "now" : isRelative(end) ? `${end.slice(1)} ago` : formatTime(end, zone),
  );
  return shareDay(since, until, zone) ? `${from} – ${to!.slice(11)}` : `${from} – ${to}`;
}

function shareDay(since: string, until: string, zone: Zone): boolean {
  const isAbsolute = [since, until].every((end) => end !== "" && !isRelative(end));
  return isAbsolute && formatTime(since, zone).slice(0, 10) === formatTime(until, zone).slice(0, 10);
}

/** "15 minutes" for `-15m`. */
export function spanTitle(span: string): string {
  return [...span.matchAll(/(\d+)([smhdw])/g)]
    .map(([, count, unit]) => (count === "1" ? UNIT_NAMES[unit!]! : `${count} ${UNIT_NAMES[unit!]}s`))
    .join(" ");
}

/** `2026-11-24 12:00:00`, to seconds; sorts as it reads, in every language alike. */
export function formatTime(time: string | number, zone: Zone): string {
  return parts(time, zone).slice(0, 19);
}

/** `12:00:00.125` for rows, with the month and day before it where `withDay`. */
export function clockTime(time: string, zone: Zone, withDay: boolean): string {
  return parts(time, zone).slice(withDay ? 5 : 11);
}

/** A tick of an axis whose ticks are `step` seconds apart: as short as it can be. */
export function tickText(seconds: number, step: number, zone: Zone): string {
  const text = formatTime(seconds * 1_000, zone);
  return step >= 86_400
    ? text.slice(5, 10)
    : step < 60
      ? text.slice(11)
      : text.endsWith("00:00:00")
        ? text.slice(5, 10)
        : text.slice(11, 16);
}

function parts(time: string | number, zone: Zone): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) {
    return String(time);
  }
  const shifted = zone === "utc" ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().replace("T", " ").replace("Z", "");
}

/** "UTC", or "UTC+01:00" of the local time at `at`. */
export function zoneTitle(zone: Zone, at = Date.now()): string {
  const minutes = zone === "utc" ? 0 : -new Date(at).getTimezoneOffset();
  if (minutes === 0) {
    return "UTC";
  }
  const [hours, rest] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `UTC${minutes < 0 ? "−" : "+"}${String(hours).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
}

/** The range moved by its own length, or half; null where the later end would be in the future. */
export function moved(range: TimeRange, direction: -1 | 1, now: number): TimeRange | null {
  const [from, to] = ends(range, now);
  const shift = (to - from) * direction;
  if (to >= now && direction > 0) {
    return null;
  }
  return to + shift >= now
    ? { since: iso(now - (to - from)), until: "" }
    : { since: iso(from + shift), until: iso(to + shift) };
}

/** The range doubled around its middle, not beyond now. */
export function widened(range: TimeRange, now: number): TimeRange {
  const [from, to] = ends(range, now);
  const half = Math.max((to - from) / 2, 500);
  return to + half >= now
    ? { since: iso(Math.min(from - half, now - 4 * half)), until: "" }
    : { since: iso(from - half), until: iso(to + half) };
}

/** The next longer quick range, for a search that found nothing. */
export function longerRanges(range: TimeRange, now: number): string[] {
  const [from] = ends(range, now);
  return ["-1h", "-24h", "-7d", "-30d"].filter((quick) => now - spanSeconds(quick) * 1_000 < from - 1_000).slice(0, 3);
}

function ends(range: TimeRange, now: number): [number, number] {
  return [resolve(range.since, now) ?? now - 900_000, resolve(range.until, now) ?? now];
}

export const iso = (time: number) => new Date(time).toISOString();
