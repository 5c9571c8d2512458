import { signal } from "@preact/signals";

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const format = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
const now = signal(Date.now());
setInterval(() => {
  now.value = Date.now();
}, 15_000);

/** "5 min. ago"; the exact time is its title. */
export function RelativeTime({ at }: { at: string }) {
  const time = new Date(at);
  return (
    <time dateTime={at} title={exact.format(time)}>
      {relative((time.getTime() - Math.max(now.value, Date.now() - 15_000)) / 1_000)}
    </time>
  );
}

function relative(seconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return Math.abs(seconds) < 5 ? "just now" : format.format(Math.trunc(seconds / size), unit);
}
