/** Signing in with an API key, which the browser exchanges for a cookie and forgets. */
import { useState } from "preact/hooks";
import { asProblem, type Problem } from "./api";
import { session, signedOutBecause, signIn } from "./session";
import { Button, Field, Icon } from "./ui";

export function SignIn() {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const because = signedOutBecause.value;

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const key = String(new FormData(form).get("key") ?? "").trim();
    setBusy(true);
    try {
      await signIn(key);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
      form.querySelector("input")?.select();
    }
  }

  return (
    <div class="signin">
      <form class="card" onSubmit={submit}>
        <Icon name="waves" />
        <h1>Sign in</h1>
        <p class="muted">with an API key that has the scope read, or admin.</p>
        {because && (
          <p class="note" role="status">
            {because === "expired" ? "Your session has ended. Sign in again to go on where you were." : because.detail}
          </p>
        )}
        <input type="text" name="username" autocomplete="username" value="Sluice" hidden readOnly />
        <Field label="API key" error={problem ? advice(problem) : undefined}>
          {(attributes) => (
            <input
              {...attributes}
              name="key"
              type="password"
              autocomplete="current-password"
              placeholder="slc_…"
              spellcheck={false}
              autofocus={session.value === null}
              required
            />
          )}
        </Field>
        <Button primary type="submit" busy={busy}>
          Sign in
        </Button>
        <p class="hint">
          No key? <code>make demo</code> prints one; <code>sluice keys create NAME --scope read</code> makes one for an
          application.
        </p>
      </form>
    </div>
  );
}

/** What to do about a refused key. */
function advice(problem: Problem): string {
  switch (problem.code) {
    case "missing_key":
    case "invalid_key":
      return "Sluice does not know this key: it may be cut short, revoked or expired. Paste all of it, from slc_ on.";
    case "missing_scope":
      return "This key can only send logs. Use one with the scope read, or admin.";
    default:
      return problem.retryAfterSeconds
        ? `${problem.detail} (try again in ${problem.retryAfterSeconds} s)`
        : problem.detail;
  }
}
