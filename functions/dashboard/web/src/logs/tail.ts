/** Live tail by long poll: each answer brings what was stored since the last, and the cursor to go on with. */
import { batch, effect, signal, untracked } from "@preact/signals";
import { asProblem, get, type Problem } from "../api";
import { arrived, released } from "./following";
import type { TailAnswer } from "./model";
import { count, expanded, followed, question, searchAgain } from "./search";
import { filtersOf } from "./url";
import { runs, show, view } from "./view";

const WAIT_SECONDS = 20;
const LIMIT = 500;
const MAX_RETRY_SECONDS = 30;
const COUNT_AGAIN_MILLISECONDS = 10_000;

export type TailStatus = "off" | "live" | "behind" | "hidden" | Problem;

export const tailStatus = signal<TailStatus>("off");
/** Whether the newest rows are in sight: the list says so. */
export const isAtNewest = signal(true);

/** Turns live tail on or off. It goes on from now, so a range with an end becomes one without. */
export function toggleTail(): void {
  const isTailing = !view.value.isTailing;
  const range = isTailing && view.value.until ? { since: "-15m", until: "" } : {};
  batch(() => {
    show({ ...range, isTailing, ...(isTailing ? { order: "desc" as const } : {}) });
    runs.value += isTailing ? 1 : 0;
  });
}

/** Tails while the view says so; returns what ends that. */
export function followTail(): () => void {
  return effect(() => {
    void question.value;
    if (!view.value.isTailing) {
      tailStatus.value = "off";
      return undefined;
    }
    return untracked(start);
  });
}

function start(): () => void {
  const ended = new AbortController();
  const counting = setInterval(() => {
    if (!document.hidden) {
      void count();
    }
  }, COUNT_AGAIN_MILLISECONDS);
  void poll(ended.signal);
  return () => {
    ended.abort();
    clearInterval(counting);
  };
}

async function poll(signal: AbortSignal): Promise<void> {
  let cursor: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await whileHidden(signal);
      const answer = await ask(cursor, signal);
      if (cursor === undefined) {
        void searchAgain(); // what was stored between the first search and this moment
      }
      cursor = answer.cursor;
      failures = 0;
      take(answer);
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      const problem = asProblem(error);
      tailStatus.value = problem;
      if (problem.status >= 400 && problem.status < 429) {
        return; // trying again would not help
      }
      failures += 1;
      await pause(problem.retryAfterSeconds ?? Math.min(2 ** failures, MAX_RETRY_SECONDS), signal);
    }
  }
}

function ask(cursor: string | undefined, signal: AbortSignal): Promise<TailAnswer> {
  const { q } = filtersOf(view.value);
  return get<TailAnswer>("api/tail", { query: { q, cursor, wait: WAIT_SECONDS, limit: LIMIT }, signal });
}

function take({ logs, is_behind }: TailAnswer): void {
  batch(() => {
    tailStatus.value = is_behind ? "behind" : "live";
    if (logs.length > 0) {
      followed.value = arrived(followed.value, logs, isPaused());
    }
  });
}

/** While somebody reads further down, or an open record, nothing moves. */
function isPaused(): boolean {
  return !isAtNewest.value || expanded.value.size > 0;
}

/** Shows what has arrived meanwhile. */
export function showWaiting(): void {
  followed.value = released(followed.value);
}

/** A page that nobody sees asks for nothing; the cursor keeps its place. */
async function whileHidden(signal: AbortSignal): Promise<void> {
  if (document.hidden) {
    tailStatus.value = "hidden";
    await new Promise<void>((resume) => {
      document.addEventListener("visibilitychange", () => resume(), { once: true, signal });
      signal.addEventListener("abort", () => resume(), { once: true });
    });
  }
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resume) => {
    setTimeout(resume, seconds * 1_000);
    signal.addEventListener("abort", () => resume(), { once: true });
  });
}
