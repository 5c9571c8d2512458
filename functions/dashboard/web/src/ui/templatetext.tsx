import { SafeText } from "./safetext";

const PLACE = "<*>";

/** A template; where values stand it has signs, numbered from 1 if `isNumbered`. */
export function TemplateText({ text, isNumbered = false }: { text: string; isNumbered?: boolean }) {
  return (
    <span class="template-text">
      {text.split(PLACE).map((part, at) => (
        <>
          {at > 0 && (
            <span key={at} class="template-place">
              <span aria-hidden="true">{isNumbered ? at : "∗"}</span>
              <span class="visually-hidden">{isNumbered ? ` value ${at} ` : " value "}</span>
            </span>
          )}
          <SafeText text={part} />
        </>
      ))}
    </span>
  );
}
