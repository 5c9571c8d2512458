/** The HTTP API: every request goes through `request`, every failure comes out as a `Problem`. */

/** What went wrong, as RFC 9457 says it; `code` is stable. A request that never arrived has the status 0. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    /** Further members, e.g. `position` and `expected` of `invalid_query`. */
    readonly members: Readonly<Record<string, unknown>> = {},
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(detail);
  }
}

export type Query = Record<string, string | number | null | undefined>;

interface Options {
  query?: Query | URLSearchParams;
  body?: unknown;
  signal?: AbortSignal;
}

let onSignedOut = () => {};

/** Calls `listener` whenever a request finds that nobody is signed in any more. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

/** Sends a request to a path such as `api/logs`, relative to the page. Rejects with a Problem, or as `signal` says. */
export async function request<Answer>(method: string, path: string, options: Options = {}): Promise<Answer> {
  const response = await checked(method, path, options);
  const text = await response.text();
  return (text ? JSON.parse(text, keepDigits) : undefined) as Answer;
}

/** Integers beyond 2^53, which a number would round, become BigInt. Older browsers do not tell a number's text. */
function keepDigits(_name: string, value: unknown, context?: { source?: string }): unknown {
  const isRounded = typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER;
  return isRounded && /^-?\d+$/.test(context?.source ?? "") ? BigInt(context!.source!) : value;
}

/** As `get`, but the answer as it comes: for files, and for its headers. */
export function download(path: string, options?: Options): Promise<Response> {
  return checked("GET", path, { ...options });
}

async function checked(method: string, path: string, options: Options): Promise<Response> {
  const response = await send(method, path, options);
  if (response.ok) {
    return response;
  }
  const problem = readProblem(response, await response.text());
  if (problem.status === 401 && path !== "api/session") {
    onSignedOut();
  }
  throw problem;
}

export const get = <Answer>(path: string, options?: Options) => request<Answer>("GET", path, options);
export const post = <Answer>(path: string, body: unknown = {}) => request<Answer>("POST", path, { body });
export const patch = <Answer>(path: string, body: unknown) => request<Answer>("PATCH", path, { body });
export const put = <Answer>(path: string, body: unknown) => request<Answer>("PUT", path, { body });
export const remove = <Answer>(path: string) => request<Answer>("DELETE", path);

/** The URL of a request, relative to the page: for links and downloads. */
export function address(path: string, query: Query | URLSearchParams = {}): string {
  const search = query instanceof URLSearchParams ? query : toSearch(query);
  return search.size ? `${path}?${search}` : path;
}

/** `value` as a Problem: what a request rejects with, or a bug of the page. */
export function asProblem(value: unknown): Problem {
  return value instanceof Problem ? value : new Problem(0, "page_failed", String(value));
}

async function send(method: string, path: string, { query, body, signal }: Options): Promise<Response> {
  // The header tells the API that this page sent the cookie, not another site's form.
  const headers: Record<string, string> = { "X-Sluice-Page": "1", Accept: "application/json" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  try {
    return await fetch(address(path, query), {
      method,
      headers,
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) {
      throw error;
    }
    throw new Problem(0, "no_connection", "The server did not answer: check the network, then try again.");
  }
}

function toSearch(query: Query): URLSearchParams {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") {
      search.set(name, String(value));
    }
  }
  return search;
}

function readProblem(response: Response, text: string): Problem {
  const wait = Number(response.headers.get("Retry-After"));
  const retryAfter = response.headers.has("Retry-After") && Number.isFinite(wait) ? wait : null;
  try {
    const { code, detail, ...members } = JSON.parse(text) as Record<string, unknown>;
    return new Problem(response.status, String(code), String(detail), members, retryAfter);
  } catch {
    return new Problem(response.status, "unreadable_answer", `The server answered ${response.status}.`, {}, retryAfter);
  }
}
