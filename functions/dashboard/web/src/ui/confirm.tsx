import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { asProblem, type Problem } from "../api";
import { Button } from "./button";
import { Dialog } from "./dialog";

interface Props {
  title: string;
  /** What follows from it. */
  children: ComponentChildren;
  /** The verb on the button. */
  action: string;
  danger?: boolean;
  /** Whether something that it needs is still missing. */
  disabled?: boolean;
  /** Does it; what it rejects with is shown in the dialog. */
  run: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something is done, and does it; also a form around the fields that it needs. */
export function Confirm({ title, children, action, danger = false, disabled = false, run, onClose }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    setBusy(true);
    try {
      await run();
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {children}
        {problem && (
          <p class="field-error" role="alert">
            {problem.detail}
          </p>
        )}
        <div class="actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" primary={!danger} danger={danger} disabled={disabled} busy={busy}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
