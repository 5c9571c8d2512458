import { useState } from "preact/hooks";
import { canAlert } from "../session";
import { Button, toast, toastProblem } from "../ui";
import { type Anomaly, judge, type Verdict } from "./model";

interface Props {
  anomaly: Anomaly;
  reload: () => Promise<void>;
}

/** Whether it was worth telling: noise is told less in future. */
export function Feedback({ anomaly: { id, feedback }, reload }: Props) {
  const [busy, setBusy] = useState(false);
  if (!canAlert.value) {
    return feedback ? <span class="badge">{feedback}</span> : null;
  }

  async function say(verdict: Verdict) {
    setBusy(true);
    try {
      await judge(id, verdict === feedback ? null : verdict);
      await reload();
      toast(
        verdict === feedback
          ? "Taken back."
          : verdict === "noise"
            ? "Noted: the like of it is told less from now on."
            : "Noted: the like of it is worth telling.",
      );
    } catch (error) {
      toastProblem(error);
    }
    setBusy(false);
  }

  return (
    <div class="row-actions" role="group" aria-label="Was it worth telling?">
      <Button pressed={feedback === "useful"} disabled={busy} onClick={() => say("useful")}>
        Useful
      </Button>
      <Button pressed={feedback === "noise"} disabled={busy} onClick={() => say("noise")}>
        Noise
      </Button>
    </div>
  );
}
