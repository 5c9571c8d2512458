/** Numbers as people read them. */
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const BYTES: [string, number][] = [
  ["TiB", 2 ** 40],
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
];
const SPANS: [string, number][] = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
];

/** "20,216" */
export const figure = (count: number) => whole.format(count);

/** "20.2K" */
export const shortFigure = (count: number) => short.format(count);

/** "1.5 MiB" */
export function bytes(count: number): string {
  const [unit, size] = BYTES.find(([, size]) => Math.abs(count) >= size) ?? ["B", 1];
  return `${short.format(count / size)} ${unit}`;
}

/** "3 min", of the largest unit that fits. */
export function span(seconds: number): string {
  const [unit, size] = SPANS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${short.format(seconds / size)} ${unit}`;
}

/** "1 key", "2 keys" */
export const counted = (count: number, noun: string, plural = `${noun}s`) =>
  `${figure(count)} ${count === 1 ? noun : plural}`;

/** "6.2 %" for 0.062; what is there at all is not 0. */
export function percentage(share: number): string {
  const percent = share * 100;
  return percent > 0 && percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}
