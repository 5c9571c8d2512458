interface Props {
  /** What is counted, for those who do not see the bars. */
  label: string;
  counts: number[];
  /** A part of each, drawn over it in the colour of errors. */
  marked?: number[];
}

const HEIGHT = 24;

/** Small bars, the last one the newest; beside a figure that says how much it is. */
export function Sparkline({ label, counts, marked }: Props) {
  const most = Math.max(...counts, 1);
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${counts.length} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path d={`M0 ${HEIGHT - 0.5}H${counts.length}V${HEIGHT}H0Z`} class="sparkline-ground" />
      <path d={bars(counts, most)} />
      {marked && <path d={bars(marked, most)} class="sparkline-marked" />}
    </svg>
  );
}

/** What is there at all can be seen. */
function bars(counts: number[], most: number): string {
  return counts
    .map((count, at) => (count > 0 ? `M${at + 0.1} ${HEIGHT}V${top(count, most)}H${at + 0.9}V${HEIGHT}Z` : ""))
    .join("");
}

const top = (count: number, most: number) => (HEIGHT - Math.max(1.5, (HEIGHT - 1) * (count / most))).toFixed(1);
