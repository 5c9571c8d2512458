import { shortFigure } from "../figures";
import { LEVELS, levelClass } from "../levels";

/** Which levels there are, the severest first; how many of each, where there are several. */
export function Levels({ counts }: { counts: Partial<Record<string, number>> }) {
  const present = [...LEVELS].reverse().filter((level) => counts[level]);
  return (
    <span class="levels">
      {present.map((level) => (
        <span key={level} class={`levels-one ${levelClass(level)}`}>
          <span class="dot" aria-hidden="true" /> {level.toLowerCase()}
          {present.length > 1 && <span class="muted"> {shortFigure(counts[level]!)}</span>}
        </span>
      ))}
    </span>
  );
}
