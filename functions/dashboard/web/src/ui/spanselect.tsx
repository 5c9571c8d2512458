import { here, navigate, route } from "../router";
import { isRelative, spanTitle } from "../time";

const SPANS = ["-1h", "-24h", "-7d", "-30d"];
const DEFAULT = "-24h";

/** Since when a page looks back: the URL's `since`, or a day. */
export const shownSince = () => {
  const since = route.value.query.get("since") ?? "";
  return isRelative(since) ? since : DEFAULT;
};

/** "day" of `-24h`: to say "the last day". */
export const shownSpan = () => spanTitle(shownSince()).replace("24 hours", "day");

/** Chooses how far back the page looks. */
export function SpanSelect() {
  const since = shownSince();
  return (
    <select
      class="span-select"
      aria-label="Time"
      value={since}
      onChange={(event) => navigate(here({ since: event.currentTarget.value }), { replace: true })}
    >
      {[...new Set([...SPANS, since])].map((span) => (
        <option key={span} value={span}>
          Last {spanTitle(span)}
        </option>
      ))}
    </select>
  );
}
