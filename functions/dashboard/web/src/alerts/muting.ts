/** Silences and maintenance windows, between what the API takes and what people write. */
import type { Matcher, Weekly } from "./model";

export const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/** From lines such as `rule=Payments fail`, `host!=web-1`, `host=~web-.*`; the rest is left to the API to refuse. */
export function matchersOf(text: string): Matcher[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => {
      const found = /^([^=!]*?)\s*(=~|!=|=)\s*(.*)$/.exec(line);
      return found
        ? { label: found[1]!, is: found[2] as Matcher["is"], value: found[3]! }
        : { label: line, is: "=", value: "" };
    });
}

/** As it was written. */
export const matcherText = ({ label, is, value }: Matcher) => `${label}${is}${value}`;

/** "mon" */
export const shortDay = (weekday: string) => weekday.slice(0, 3);

/** "mon, tue at 02:00 for 60 min, Europe/Berlin" */
export function weeklyText({ weekdays, start, duration_minutes, time_zone }: Weekly): string {
  const days = weekdays.length === WEEKDAYS.length ? "every day" : weekdays.map(shortDay).join(", ");
  return `${days} at ${start} for ${duration_minutes} min, ${time_zone}`;
}
