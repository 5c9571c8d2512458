/** The logs and counts that were found, and how to get more of them. */
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import { asProblem, get, type Problem } from "../api";
import { type Followed, NOTHING } from "./following";
import { soughtTexts, utf16Index } from "./language";
import type { Context, Counts, Log, Page } from "./model";
import { append, EMPTY, prepend, rowsOf } from "./pages";
import { filtersOf } from "./url";
import { runs, view } from "./view";

const FIRST_ROWS = 200; // soon there
const MORE_ROWS = 500;
const BUCKETS = 80;

export const found = signal(EMPTY);
export const followed = signal<Followed>(NOTHING);
export const rows = computed(() => rowsOf(followed.value.shown, followed.value.hasGap ? EMPTY : found.value));
export const isSearching = signal(true);
export const problem = signal<Problem | null>(null);
export const counts = signal<Counts | null>(null);
export const countsProblem = signal<Problem | null>(null);
export const loadingMore = signal<"older" | "newer" | null>(null);
export const moreProblem = signal<Problem | null>(null);
/** Words and phrases to mark. */
export const sought = computed(() => soughtTexts(view.value.q));
/** Ids of the logs whose record is open. */
export const expanded = signal<ReadonlySet<string>>(new Set());
/** The log that the URL names, where the first page does not hold it. */
export const linked = signal<Log | null>(null);

/** Where the query is mistaken, as an index of its text, and what the API expected there. */
export const mistake = computed(() => {
  if (problem.value?.code !== "invalid_query") {
    return null;
  }
  const { position, expected } = problem.value.members;
  return {
    query: view.value.q,
    at: utf16Index(view.value.q, Number(position) || 0),
    detail: problem.value.detail.replace(/ \(at \d+\); expected: .*$/s, ""),
    expected: Array.isArray(expected) ? expected.map(String) : [],
  };
});

/** Changes whenever other logs are asked for. */
export const question = computed(() => JSON.stringify([filtersOf(view.value), view.value.order, runs.value]));

let running = new AbortController();

/** Searches now and whenever the question changes; returns what ends that. */
export function followQuestion(): () => void {
  const stop = effect(() => {
    void question.value;
    untracked(search);
  });
  return () => {
    stop();
    running.abort();
  };
}

function search(): void {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  batch(() => {
    isSearching.value = true;
    loadingMore.value = null;
    moreProblem.value = null;
    linked.value = null;
    followed.value = NOTHING;
    expanded.value = new Set(view.value.log ? [view.value.log] : []);
  });
  void searchLogs(signal);
  void count(signal);
}

/** Reads the first page anew, in place of what was found. */
export function searchAgain(): Promise<void> {
  return searchLogs(running.signal);
}

async function searchLogs(signal: AbortSignal): Promise<void> {
  try {
    const page = await readPage({}, signal);
    batch(() => {
      found.value = append(EMPTY, page);
      problem.value = null;
      isSearching.value = false;
    });
    await findLinked(signal);
  } catch (error) {
    ifCurrent(signal, () => {
      problem.value = asProblem(error);
      found.value = EMPTY;
      isSearching.value = false;
    });
  }
}

/** Counts the logs over time; as often as one likes. */
export async function count(signal = running.signal): Promise<void> {
  try {
    const answer = await get<Counts>("api/histogram", {
      query: { ...filtersOf(view.value), by: "level", buckets: BUCKETS },
      signal,
    });
    batch(() => {
      counts.value = answer;
      countsProblem.value = null;
    });
  } catch (error) {
    ifCurrent(signal, () => {
      counts.value = null;
      countsProblem.value = asProblem(error);
    });
  }
}

async function findLinked(signal: AbortSignal): Promise<void> {
  const id = view.value.log;
  if (id && !rows.value.some((log) => log.id === id)) {
    linked.value = (await readContext(id, 0, 0, signal)).log;
  }
}

export function readContext(id: string, before: number, after: number, signal?: AbortSignal): Promise<Context> {
  return get<Context>(`api/logs/${encodeURIComponent(id)}`, {
    query: { before, after },
    ...(signal ? { signal } : {}),
  });
}

/** The next page in either direction, unless one is on its way or there is none. */
export async function loadMore(direction: "older" | "newer"): Promise<void> {
  const { signal } = running;
  const cursor = cursorTo(direction);
  if (!cursor || loadingMore.value || isSearching.value) {
    return;
  }
  loadingMore.value = direction;
  try {
    const page = await readPage({ cursor }, signal);
    batch(() => {
      found.value = (direction === "older" ? append : prepend)(found.value, page);
      moreProblem.value = null;
      loadingMore.value = null;
    });
  } catch (error) {
    ifCurrent(signal, () => {
      moreProblem.value = asProblem(error);
      loadingMore.value = null;
    });
  }
}

export function cursorTo(direction: "older" | "newer"): string | null {
  const { pages, isCutBefore } = found.value;
  if (direction === "older") {
    return pages.at(-1)?.next_cursor ?? null;
  }
  return isCutBefore ? (pages[0]?.previous_cursor ?? null) : null;
}

function readPage(cursor: { cursor?: string }, signal: AbortSignal): Promise<Page> {
  const { order } = view.value;
  const limit = cursor.cursor ? MORE_ROWS : FIRST_ROWS;
  return get<Page>("api/logs", { query: { ...filtersOf(view.value), order, limit, ...cursor }, signal });
}

function ifCurrent(signal: AbortSignal, run: () => void): void {
  if (!signal.aborted) {
    batch(run);
  }
}

/** Opens or closes a log's record; the last one opened is what the URL shows to others. */
export function toggle(id: string): string | null {
  const open = new Set(expanded.value);
  const isOpen = open.delete(id);
  if (!isOpen) {
    open.add(id);
  }
  expanded.value = open;
  return isOpen ? ([...open].at(-1) ?? null) : id;
}
