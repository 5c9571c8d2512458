import { signal } from "@preact/signals";
import { asProblem } from "../api";
import { Button } from "./button";

type Kind = "done" | "error";

interface Toast {
  id: number;
  text: string;
  kind: Kind;
}

const SHOWN_MILLISECONDS = { done: 5_000, error: 12_000 };
const toasts = signal<Toast[]>([]);
let lastId = 0;

/** Says in the corner what happened, for some seconds. */
export function toast(text: string, kind: Kind = "done"): void {
  lastId += 1;
  const id = lastId;
  toasts.value = [...toasts.value.slice(-3), { id, text, kind }];
  setTimeout(() => dismiss(id), SHOWN_MILLISECONDS[kind]);
}

/** For the `catch` of a request whose failure has no place of its own on the page. */
export function toastProblem(error: unknown): void {
  toast(asProblem(error).detail, "error");
}

function dismiss(id: number) {
  toasts.value = toasts.value.filter((other) => other.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="log" aria-label="Notifications">
      {toasts.value.map(({ id, text, kind }) => (
        <div key={id} class={`toast ${kind}`}>
          <span>{text}</span>
          <Button quiet icon="close" label="Dismiss" onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
