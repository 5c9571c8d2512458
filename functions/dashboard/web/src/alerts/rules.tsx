import { useState } from "preact/hooks";
import { useLoaded } from "../load";
import { link, navigate } from "../router";
import { canAlert } from "../session";
import { useShortcuts } from "../shortcuts";
import {
  type Column,
  EmptyState,
  ErrorState,
  Loading,
  RelativeTime,
  SafeText,
  SeverityBadge,
  Table,
  toast,
  toastProblem,
} from "../ui";
import { changeRule, listRules, type Rule } from "./model";
import { OnlyWriters } from "./pieces";
import { described } from "./rule";

const NEW = "alerts/rules/new";

export function RuleList() {
  const rules = useLoaded(listRules, []);
  const [filter, setFilter] = useState("");
  useShortcuts("Rules", [{ keys: ["n"], does: "New rule", run: () => canAlert.value && navigate(link(NEW)) }]);
  const wanted = filter.trim().toLowerCase();
  const shown = (rules.value ?? []).filter(({ name, application, query = "" }) =>
    [name, application, query].some((text) => text.toLowerCase().includes(wanted)),
  );
  return (
    <section class="card" aria-label="Rules">
      <div class="card-head">
        <input
          class="alerts-find"
          type="search"
          aria-label="Find a rule"
          placeholder="Find a rule"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <OnlyWriters>
          <a class="button primary" href={link(NEW)}>
            New rule
          </a>
        </OnlyWriters>
      </div>
      {rules.value ? (
        shown.length > 0 ? (
          <RuleTable rules={shown} reload={rules.reload} />
        ) : (
          <EmptyState icon="search" title="No rule is like this">
            Words of its name, application or query.
          </EmptyState>
        )
      ) : rules.problem ? (
        <ErrorState problem={rules.problem} onRetry={rules.reload} />
      ) : (
        <Loading what="rules" lines={6} />
      )}
    </section>
  );
}

function RuleTable({ rules, reload }: { rules: Rule[]; reload: () => Promise<void> }) {
  const isSeveral = new Set(rules.map(({ application }) => application)).size > 1;
  const columns: Column<Rule>[] = [
    {
      title: "Rule",
      wraps: true,
      cell: ({ id, name, origin, ...rule }) => (
        <div class="two-lines">
          <span>
            <a href={link(`alerts/rules/${id}`)}>
              <SafeText text={name} />
            </a>{" "}
            {origin === "default" && <span class="badge">default</span>}
          </span>
          <span class="muted">
            {described(rule)} {rule.query && <code>{rule.query}</code>}
          </span>
        </div>
      ),
    },
    { title: "Severity", cell: ({ severity }) => <SeverityBadge severity={severity} /> },
    { title: "State", cell: (rule) => <RuleState rule={rule} /> },
    {
      title: "Judged",
      wideOnly: true,
      cell: ({ last_evaluated_at }) =>
        last_evaluated_at ? <RelativeTime at={last_evaluated_at} /> : <span class="muted">not yet</span>,
    },
    { title: "On", cell: (rule) => <Switch rule={rule} reload={reload} /> },
  ];
  if (isSeveral) {
    columns.splice(1, 0, { title: "Application", wideOnly: true, cell: ({ application }) => application });
  }
  return <Table caption="Rules" rows={rules} rowKey={({ id }) => id} columns={columns} />;
}

const STATES = { ok: "good", pending: "caution", firing: "bad" };

function RuleState({ rule: { state, enabled, failure } }: { rule: Rule }) {
  if (!enabled) {
    return <span class="badge">off</span>;
  }
  return failure ? (
    <span class="badge caution" title={failure.detail ?? failure.code}>
      not judged
    </span>
  ) : (
    <span class={`badge ${STATES[state]}`}>{state}</span>
  );
}

/** Says by itself whether a rule is judged. */
function Switch({ rule, reload }: { rule: Rule; reload: () => Promise<void> }) {
  const { id, name, enabled } = rule;

  async function flip() {
    try {
      await changeRule(id, { enabled: !enabled });
      await reload();
      toast(enabled ? `“${name}” is off.` : `“${name}” is on.`);
    } catch (error) {
      toastProblem(error);
    }
  }

  return canAlert.value ? (
    <input type="checkbox" aria-label={`“${name}” is on`} checked={enabled} onChange={flip} />
  ) : (
    <span>{enabled ? "on" : "off"}</span>
  );
}
