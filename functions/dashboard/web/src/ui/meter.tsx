interface Props {
  /** What is measured, for those who do not see the bar. */
  label: string;
  value: number;
  limit: number;
  text: string;
}

/** How much of a limit is used; the bar changes its colour from four fifths on. */
export function Meter({ label, value, limit, text }: Props) {
  const share = limit > 0 ? Math.min(1, Math.max(0, value / limit)) : 0;
  return (
    <div class="meter">
      <div
        class={share >= 0.8 ? "meter-bar high" : "meter-bar"}
        role="meter"
        aria-label={label}
        aria-valuenow={Math.round(share * 100)}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuetext={text}
      >
        {share > 0 && <span style={{ width: `${share * 100}%` }} />}
      </div>
      <span class="meter-text">{text}</span>
    </div>
  );
}
