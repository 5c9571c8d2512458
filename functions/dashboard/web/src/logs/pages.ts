/** The pages of an answer that are held at a time: a window that moves over a result of any length. */
import type { Log, Page } from "./model";

export const MAX_ROWS = 20_000;

/** Pages in the order they are shown; what was dropped at either end comes back by the cursors there. */
export interface Window {
  pages: Page[];
  /** Whether pages before the first were dropped. */
  isCutBefore: boolean;
}

export const EMPTY: Window = { pages: [], isCutBefore: false };

/** `page` after the last; pages at the other end go where there are too many rows. */
export function append(window: Window, page: Page): Window {
  const pages = [...window.pages, page];
  const kept = pages.slice(surplus(pages));
  return { pages: kept, isCutBefore: window.isCutBefore || kept.length < pages.length };
}

/** `page` before the first, as `append`. */
export function prepend(window: Window, page: Page): Window {
  const pages = [page, ...window.pages];
  const kept = pages.slice(0, pages.length - surplus([...pages].reverse()));
  return { pages: kept, isCutBefore: page.previous_cursor !== null && page.logs.length > 0 };
}

/** How many of the first pages are too many. */
function surplus(pages: Page[]): number {
  let rows = pages.reduce((sum, { logs }) => sum + logs.length, 0);
  let count = 0;
  while (rows > MAX_ROWS && count < pages.length - 1) {
    rows -= pages[count]!.logs.length;
    count += 1;
  }
  return count;
}

/** Each log once, `first` before the pages. */
export function rowsOf(first: readonly Log[], { pages }: Window): Log[] {
  const rows = new Map<string, Log>();
  for (const log of [...first, ...pages.flatMap(({ logs }) => logs)]) {
    if (!rows.has(log.id)) {
      rows.set(log.id, log);
    }
  }
  return [...rows.values()];
}
