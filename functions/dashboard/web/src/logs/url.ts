/** What the logs page shows, to and from the URL: enough to see the same on another screen. */
import { DEFAULT_RANGE, type TimeRange } from "../time.ts";

export interface View extends TimeRange {
  q: string;
  order: "desc" | "asc";
  /** Columns between application and message. */
  columns: string[];
  /** Whether long messages go on in the next line. */
  wraps: boolean;
  /** The id of the log that is open. */
  log: string | null;
  isTailing: boolean;
}

export const DEFAULT_VIEW: View = {
  q: "",
  ...DEFAULT_RANGE,
  order: "desc",
  columns: [],
  wraps: false,
  log: null,
  isTailing: false,
};

const MAX_COLUMNS = 8;

export function viewFrom(search: URLSearchParams): View {
  const until = search.get("until");
  return {
    q: search.get("q") ?? "",
    since: search.get("since") || DEFAULT_RANGE.since,
    until: until === null || until === "now" ? "" : until,
    order: search.get("order") === "asc" ? "asc" : "desc",
    columns: [...new Set(search.getAll("column").filter(Boolean))].slice(0, MAX_COLUMNS),
    wraps: search.has("wrap"),
    log: search.get("log"),
    isTailing: search.has("tail"),
  };
}

/** Only what differs from the default, so that links stay short. */
export function searchOf(view: View): URLSearchParams {
  const search = new URLSearchParams();
  const put = (name: string, value: string, usual = "") => value !== usual && search.append(name, value);
  put("q", view.q);
  put("since", view.since, DEFAULT_RANGE.since);
  put("until", view.until);
  put("order", view.order, "desc");
  for (const column of view.columns) {
    put("column", column);
  }
  put("wrap", view.wraps ? "1" : "");
  put("log", view.log ?? "");
  put("tail", view.isTailing ? "1" : "");
  return search;
}

/** The part of the view that decides which logs are found. */
export function filtersOf(view: Pick<View, "q" | "since" | "until">): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ q: view.q.trim(), since: view.since, until: view.until }).filter(([, value]) => value),
  );
}
