import { useState } from "preact/hooks";
import { asProblem, type Problem } from "../api";
import { useLoaded } from "../load";
import { link, navigate } from "../router";
import { canAlert, session } from "../session";
import { Button, Confirm, ErrorState, Loading, toast } from "../ui";
import { ofApplication } from "./applicationchoice";
import { changeRule, createRule, deleteRule, type Rule, showRule } from "./model";
import { Preview } from "./preview";
import { type Draft, described, draftOf, newDraft, ruleOf } from "./rule";
import { RuleFields } from "./rulefields";

const NEW = "new";

/** A rule: to look at, change, try and delete; or a new one. */
export function RuleEditor({ id }: { id: string }) {
  const rule = useLoaded(async (signal) => (id === NEW ? null : await showRule(id, signal)), [id]);
  if (rule.value === undefined) {
    return rule.problem ? (
      <ErrorState problem={rule.problem} onRetry={rule.reload} />
    ) : (
      <Loading what="the rule" lines={9} />
    );
  }
  return <Editor key={rule.at} rule={rule.value} reload={rule.reload} />;
}

function Editor({ rule, reload }: { rule: Rule | null; reload: () => Promise<void> }) {
  const [draft, setDraft] = useState<Draft>(rule ? draftOf(rule) : newDraft(session.value?.application ?? ""));
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  async function save(event: SubmitEvent) {
    event.preventDefault();
    setBusy(true);
    try {
      if (rule) {
        await changeRule(rule.id, ruleOf(draft));
        await reload();
        toast("The rule is saved; it is judged so from the next window on.");
      } else {
        const created = await createRule({ ...ofApplication(draft.application), ...ruleOf(draft) });
        toast(`“${created.rule.name}” watches from the next window on.`);
        navigate(link(`alerts/rules/${created.rule.id}`), { replace: true });
      }
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  }

  return (
    <>
      <Head rule={rule} reload={reload} />
      <div class="alerts-editor">
        <form class="card panel" onSubmit={save} aria-label="Rule">
          <RuleFields
            draft={draft}
            setDraft={(change) => setDraft({ ...draft, ...change })}
            isNew={rule === null}
            problem={problem}
          />
          {problem && (
            <p class="field-error" role="alert">
              {problem.detail}
            </p>
          )}
          {canAlert.value ? (
            <div class="actions">
              <Button type="submit" primary busy={busy}>
                {rule ? "Save" : "Create rule"}
              </Button>
            </div>
          ) : (
            <p class="hint">To change rules, sign in with a key that has the scope alerts.</p>
          )}
        </form>
        <Preview draft={draft} />
      </div>
    </>
  );
}

function Head({ rule, reload }: { rule: Rule | null; reload: () => Promise<void> }) {
  const [isDoomed, setDoomed] = useState(false);
  if (!rule) {
    return (
      <div class="page-head">
        <h1>New rule</h1>
      </div>
    );
  }
  const { id, name, origin, enabled, application, state, failure } = rule;

  async function flip() {
    try {
      await changeRule(id, { enabled: !enabled });
      await reload();
    } catch (error) {
      toast(asProblem(error).detail, "error");
    }
  }

  async function forget() {
    await deleteRule(id);
    toast(`“${name}” is deleted.`);
    navigate(link("alerts/rules"));
  }

  return (
    <div class="page-head">
      <div class="heading">
        <h1>{name}</h1>
        <p class="badges">
          <span class="badge">{application}</span>
          {origin === "default" && <span class="badge">default</span>}
          {enabled ? state !== "ok" && <span class="badge caution">{state}</span> : <span class="badge">off</span>}
          <span class="hint">{described(rule)}</span>
        </p>
        {failure && <p class="note">It cannot be judged at present: {failure.detail ?? failure.code}</p>}
      </div>
      {canAlert.value && (
        <div class="head-tools">
          <Button onClick={flip}>{enabled ? "Switch off" : "Switch on"}</Button>
          {origin === "user" && <Button onClick={() => setDoomed(true)}>Delete</Button>}
        </div>
      )}
      {isDoomed && (
        <Confirm title={`Delete “${name}”?`} action="Delete" danger run={forget} onClose={() => setDoomed(false)}>
          <p>Nothing is judged by it any more. What fires is resolved; its incidents stay.</p>
        </Confirm>
      )}
    </div>
  );
}
