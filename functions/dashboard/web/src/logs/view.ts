/** What the logs page is asked to show. The URL says it; how times are written is this browser's choice. */
import { batch, computed, signal } from "@preact/signals";
import { link, navigate, route } from "../router";
import { searchOf, type View, viewFrom } from "./url";

export const view = computed<View>(() => viewFrom(route.value.query));
/** Counts up to search again, though the question is the same. */
export const runs = signal(0);

/** Changes the view, and so the URL. `replace` for what nobody wants to go back through. */
export function show(change: Partial<View>, options: { replace?: boolean } = {}): void {
  navigate(viewLink(change), options);
}

/** The fragment of the view with a change. */
export function viewLink(change: Partial<View>): string {
  return link("logs", searchOf({ ...view.value, ...change }));
}

/** Another question, or the same again: what was open belongs to the last one. */
export function ask(change: Partial<Pick<View, "q" | "since" | "until" | "order">> = {}): void {
  const next = { ...view.value, ...change };
  batch(() => {
    show({ ...change, log: null, isTailing: next.isTailing && next.until === "" && next.order === "desc" });
    runs.value += 1;
  });
}

/** A choice of this browser. */
export function stored(name: string): string | null {
  try {
    return localStorage.getItem(`sluice.${name}`);
  } catch {
    return null;
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(`sluice.${name}`, value);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}
