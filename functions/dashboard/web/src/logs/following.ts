/** Logs as they arrive: shown at once while one looks at the newest, otherwise kept until one goes back there. */
import type { Log } from "./model";

export const MAX_FOLLOWED = 5_000;

export interface Followed {
  /** Newest first. */
  shown: Log[];
  /** Newest first; not shown yet. */
  waiting: Log[];
  /** Logs that were dropped because too many waited or were shown: below `shown` there is a gap. */
  hasGap: boolean;
}

export const NOTHING: Followed = { shown: [], waiting: [], hasGap: false };

/** `logs` in the order they were stored in. */
export function arrived(followed: Followed, logs: readonly Log[], isPaused: boolean): Followed {
  const waiting = [...[...logs].reverse(), ...followed.waiting];
  const state = {
    ...followed,
    waiting: waiting.slice(0, MAX_FOLLOWED),
    hasGap: followed.hasGap || waiting.length > MAX_FOLLOWED,
  };
  return isPaused ? state : released(state);
}

/** What waited is shown. */
export function released({ shown, waiting, hasGap }: Followed): Followed {
  const all = [...waiting, ...shown];
  return { shown: all.slice(0, MAX_FOLLOWED), waiting: [], hasGap: hasGap || all.length > MAX_FOLLOWED };
}
