import { sought } from "./search";
import { pieces } from "./text";

/** Text of a log: matches marked, invisible characters shown. Only ever as text nodes. */
export function LogText({ text, marks = sought.value }: { text: string; marks?: readonly string[] }) {
  return (
    <>
      {pieces(text, marks).map(({ text, isMatch, isControl }, at) =>
        isControl ? (
          <span key={at} class="logs-control" title="a control character">
            {text}
          </span>
        ) : isMatch ? (
          <mark key={at}>{text}</mark>
        ) : (
          text
        ),
      )}
    </>
  );
}
