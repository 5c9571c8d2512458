import { figure } from "../figures";
import { TimeChart } from "../ui";
import type { Minute } from "./model";

/** Bars of what was stored, and over them of what went to the dead letters. */
export function Throughput({ minutes, isCut }: { minutes: Minute[]; isCut: boolean }) {
  const counts = (name: "stored" | "duplicate" | "dead_lettered") => minutes.map((minute) => minute[name]);
  const sum = (name: "stored" | "duplicate" | "dead_lettered") => counts(name).reduce((all, count) => all + count, 0);
  return (
    <figure class="figure">
      <TimeChart
        starts={minutes.map(({ minute }) => minute)}
        intervalSeconds={60}
        height={180}
        bars={[
          { token: "--level-error", counts: counts("dead_lettered") },
          { token: "--level-info", counts: counts("stored") },
        ]}
      />
      <figcaption>
        <span class="key level-info">{figure(sum("stored"))} stored</span>
        <span class="key level-error">{figure(sum("dead_lettered"))} dead letters</span>
        <span class="muted">{figure(sum("duplicate"))} duplicates left out</span>
        {isCut && <span class="muted">busy: only the last {minutes.length} minutes</span>}
      </figcaption>
    </figure>
  );
}
