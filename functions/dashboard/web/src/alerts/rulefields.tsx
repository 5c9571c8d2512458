import type { ComponentChildren } from "preact";
import type { Problem } from "../api";
import { canAlert } from "../session";
import { Field } from "../ui";
import { ApplicationChoice } from "./applicationchoice";
import { KINDS, SEVERITIES } from "./model";
import { type Draft, KIND_TITLES, ofKind } from "./rule";

type Change = (change: Partial<Draft>) => void;

interface Props {
  draft: Draft;
  setDraft: Change;
  isNew: boolean;
  problem: Problem | null;
}

type TextName = { [Name in keyof Draft]: Draft[Name] extends string ? Name : never }[keyof Draft];

/** Which fields there are depends on the kind; a problem stands at the field that it is about. */
export function RuleFields({ draft, setDraft, isNew, problem }: Props) {
  const input = (
    name: TextName,
    label: string,
    member: string,
    options: { hint?: string; placeholder?: string } = {},
  ) => (
    <Text draft={draft} setDraft={setDraft} problem={problem} name={name} label={label} member={member} {...options} />
  );
  const { kind } = draft;
  const counts = kind !== "anomaly" && kind !== "new_template";
  return (
    <fieldset class="alerts-fields" disabled={!canAlert.value}>
      {input("name", "Name", "name", { placeholder: "Payments fail" })}
      {isNew && (
        <ApplicationChoice application={draft.application} choose={(application) => setDraft({ application })} />
      )}
      <Field label="Watch for">
        {(attributes) => (
          <select
            {...attributes}
            value={kind}
            onChange={(event) => setDraft(ofKind(draft, event.currentTarget.value as Draft["kind"]))}
          >
            {KINDS.map((each) => (
              <option key={each} value={each}>
                {KIND_TITLES[each]}
              </option>
            ))}
          </select>
        )}
      </Field>
      {kind !== "anomaly" &&
        input("query", "Among the logs", "query", {
          placeholder: "all logs",
          hint: "As in the search: level:>=error service:payments",
        })}
      {KIND_FIELDS[kind]({ draft, setDraft, input })}
      {kind !== "anomaly" && (
        <Row>
          {input("window", "In a window of", "window_seconds", { hint: "30s, 5m, 1h" })}
          {input("lasting", "Lasting for", "for_seconds", { hint: "before it fires" })}
        </Row>
      )}
      {counts &&
        input("groupBy", "Apart for each", "group_by", {
          placeholder: "no field",
          hint: "At most 3 fields: host, metadata.region",
        })}
      <Row>
        <Field label="Severity">
          {(attributes) => (
            <select
              {...attributes}
              value={draft.severity}
              onChange={(event) => setDraft({ severity: event.currentTarget.value as Draft["severity"] })}
            >
              {SEVERITIES.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Labels" hint="One in each line, for silences: team=payments">
          {(attributes) => (
            <textarea
              {...attributes}
              rows={1}
              value={draft.labels}
              onInput={(event) => setDraft({ labels: event.currentTarget.value })}
            />
          )}
        </Field>
      </Row>
    </fieldset>
  );
}

interface TextProps {
  draft: Draft;
  setDraft: Change;
  problem: Problem | null;
  name: TextName;
  label: string;
  /** Of the rule: what the API calls it when it refuses it. */
  member: string;
  hint?: string;
  placeholder?: string;
}

function Text({ draft, setDraft, problem, name, label, member, hint, placeholder }: TextProps) {
  const isWrong = problem?.code === `invalid_${member}`;
  return (
    <Field label={label} hint={hint}>
      {(attributes) => (
        <input
          {...attributes}
          {...(isWrong ? { "aria-invalid": "true" as const } : {})}
          value={draft[name]}
          placeholder={placeholder}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setDraft({ [name]: event.currentTarget.value })}
        />
      )}
    </Field>
  );
}

const Row = ({ children }: { children: ComponentChildren }) => <div class="alerts-row">{children}</div>;

interface KindProps {
  draft: Draft;
  setDraft: Change;
  input: (
    name: TextName,
    label: string,
    member: string,
    options?: { hint?: string; placeholder?: string },
  ) => ComponentChildren;
}

const KIND_FIELDS: Record<Draft["kind"], (props: KindProps) => ComponentChildren> = {
  threshold: (props) => (
    <>
      <Limits {...props} unit="logs" />
      <Choice
        {...props}
        name="per"
        label="Counted"
        choices={[
          ["", "in the whole window"],
          ["second", "per second"],
          ["minute", "per minute"],
          ["hour", "per hour"],
        ]}
      />
    </>
  ),
  ratio: (props) => (
    <>
      <Limits {...props} unit="percent" />
      <Row>
        {props.input("ofQuery", "Of", "of_query", { placeholder: "all logs" })}
        {props.input("minCount", "If there are at least", "min_count", { hint: "logs in the window" })}
      </Row>
    </>
  ),
  absence: (props) => (
    <Row>
      {props.input("baseline", "If some came within", "baseline_seconds", { hint: "before" })}
      <label class="alerts-check">
        <input
          type="checkbox"
          checked={props.draft.steady}
          onChange={(event) => props.setDraft({ steady: event.currentTarget.checked })}
        />
        only where they came without such gaps
      </label>
    </Row>
  ),
  new_template: (props) => (
    <Row>
      {props.input("minCount", "Seen at least", "min_count", { hint: "times" })}
      {props.input("learning", "Not in an application's first", "learning_seconds", { hint: "in which all is new" })}
    </Row>
  ),
  rate_change: (props) => (
    <>
      <Row>
        {props.input("factor", "By a factor of", "factor")}
        <Choice
          {...props}
          name="direction"
          label="Direction"
          choices={[
            ["above", "more"],
            ["below", "fewer"],
            ["both", "either"],
          ]}
        />
        {props.input("minCount", "If there are at least", "min_count", { hint: "logs in either" })}
      </Row>
      <Against {...props} />
    </>
  ),
  anomaly: (props) => props.input("minScore", "Score of at least", "min_score", { hint: "From 0 to 1" }),
};

function Limits({ draft, setDraft, input, unit }: KindProps & { unit: string }) {
  const isAbove = draft.side === "above";
  return (
    <Row>
      <Choice
        draft={draft}
        setDraft={setDraft}
        name="side"
        label="Fires with"
        choices={[
          ["above", "more than"],
          ["below", "fewer than"],
        ]}
      />
      {input("limit", "Limit", isAbove ? "above" : "below", { hint: unit })}
      {input("resolve", "Resolved", isAbove ? "resolve_below" : "resolve_above", {
        hint: isAbove ? "below this" : "above this",
        placeholder: "at the limit",
      })}
    </Row>
  );
}

interface ChoiceProps {
  draft: Draft;
  setDraft: Change;
  name: TextName;
  label: string;
  choices: [string, string][];
}

function Choice({ draft, setDraft, name, label, choices }: ChoiceProps) {
  return (
    <Field label={label}>
      {(attributes) => (
        <select
          {...attributes}
          value={draft[name]}
          onChange={(event) => setDraft({ [name]: event.currentTarget.value })}
        >
          {choices.map(([value, title]) => (
            <option key={value} value={value}>
              {title}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

const BASELINES: [string, string][] = [
  ["previous", "the window before"],
  ["day", "the same time yesterday"],
  ["week", "the same time a week ago"],
];

function Against({ draft, setDraft }: KindProps) {
  return (
    <fieldset>
      <legend>Than in</legend>
      {BASELINES.map(([value, title]) => (
        <label key={value}>
          <input
            type="checkbox"
            checked={draft.against.includes(value)}
            onChange={(event) =>
              setDraft({
                against: event.currentTarget.checked
                  ? [...draft.against, value]
                  : draft.against.filter((each) => each !== value),
              })
            }
          />
          {title}
        </label>
      ))}
    </fieldset>
  );
}
