/** The page's state lies in the URL's fragment, `#/PAGE/REST?QUERY`, so that every view can be shared and reloaded. */
import { computed, signal } from "@preact/signals";

export interface Route {
  /** First segment: home, logs, templates, … */
  page: string;
  /** The segments after it, decoded. */
  rest: string[];
  query: URLSearchParams;
}

const hash = signal(location.hash);
window.addEventListener("hashchange", () => {
  hash.value = location.hash;
});

/** Where we are; read it in a component and it renders again when it changes. */
export const route = computed<Route>(() => parse(hash.value));

/** The fragment of a view: for `href` and for `navigate`. Empty parameters are left out. */
export function link(path: string, query: Record<string, string | null | undefined> | URLSearchParams = {}): string {
  const search = new URLSearchParams(
    [...(query instanceof URLSearchParams ? query : Object.entries(query))].filter((pair): pair is [string, string] =>
      Boolean(pair[1]),
    ),
  );
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return `#/${encoded}${search.size ? `?${search}` : ""}`;
}

/** Goes to a fragment; `replace` leaves no entry in the history, for changes that nobody wants to go back through. */
export function navigate(fragment: string, { replace = false } = {}): void {
  if (fragment === location.hash) {
    return;
  }
  if (replace) {
    history.replaceState(null, "", fragment);
  } else {
    history.pushState(null, "", fragment);
  }
  hash.value = fragment;
}

/** The fragment of where we are, with some parameters changed; empty ones are left out. */
export function here(change: Record<string, string | null>): string {
  const { page, rest, query } = route.value;
  return link([page, ...rest].join("/"), { ...Object.fromEntries(query), ...change });
}

window.addEventListener("popstate", () => {
  hash.value = location.hash;
});

function parse(fragment: string): Route {
  const [path = "", search = ""] = split(fragment.replace(/^#\/?/, ""));
  const [page = "", ...rest] = path.split("/").map(decode);
  return { page: page || "home", rest, query: new URLSearchParams(search) };
}

function split(text: string): [string, string] {
  const at = text.indexOf("?");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
