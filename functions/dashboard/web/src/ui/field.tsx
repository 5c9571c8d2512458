import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface Attributes {
  id: string;
  "aria-invalid"?: "true";
  "aria-describedby"?: string;
}

interface Props {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  /** Draws the control with these attributes. */
  children: (attributes: Attributes) => ComponentChildren;
}

/** A labelled control with its hint, and the error that takes the hint's place. */
export function Field({ label, hint, error, children }: Props) {
  const id = useId();
  const below = error ?? hint;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({
        id,
        ...(error ? { "aria-invalid": "true" as const } : {}),
        ...(below ? { "aria-describedby": `${id}-below` } : {}),
      })}
      {below && (
        <p id={`${id}-below`} class={error ? "field-error" : "hint"} role={error ? "alert" : undefined}>
          {below}
        </p>
      )}
    </div>
  );
}
