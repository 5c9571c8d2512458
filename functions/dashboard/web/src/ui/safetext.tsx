import { pieces } from "../text";

/** Text from outside: matches marked, invisible characters shown. Only ever as text nodes. */
export function SafeText({ text, marks = [] }: { text: string; marks?: readonly string[] }) {
  return (
    <>
      {pieces(text, marks).map(({ text, isMatch, isControl }, at) =>
        isControl ? (
          <span key={at} class="control" title="a control character">
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
