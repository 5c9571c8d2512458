import { figure } from "../figures";
import { Table } from "../ui";
import type { Ledger, Totals } from "./model";

type Count = Exclude<keyof Totals, "queue_rolled_back">;

const TERMS: { name: Count; label: string; sign: string; meaning: string }[] = [
  { name: "accepted", label: "accepted", sign: "", meaning: "answered 202" },
  { name: "stored", label: "stored", sign: "=", meaning: "in the database" },
  { name: "duplicate", label: "duplicate", sign: "+", meaning: "sent again, stored once" },
  { name: "dead_lettered", label: "dead letters", sign: "+", meaning: "kept apart, with the reason" },
  { name: "in_flight", label: "in flight", sign: "+", meaning: "in the queue" },
  { name: "unaccounted", label: "unaccounted", sign: "+", meaning: "must be 0" },
];

export function LedgerView({ ledger: { total, applications } }: { ledger: Ledger }) {
  return (
    <>
      <dl class="pipeline-equation">
        {TERMS.map(({ name, label, sign, meaning }) => (
          <div key={name} class={`pipeline-term ${isBad(name, total) ? "bad" : ""}`}>
            {sign && (
              <span class="pipeline-sign" aria-hidden="true">
                {sign}
              </span>
            )}
            <dt>{label}</dt>
            <dd>
              <strong>{figure(total[name])}</strong>
              <span class="hint">{meaning}</span>
            </dd>
          </div>
        ))}
      </dl>
      <Verdict total={total} />
      {applications.length > 1 && (
        <details>
          <summary>By application</summary>
          <Table
            caption="Ledger by application"
            rows={applications}
            rowKey={({ application }) => application}
            columns={[
              { title: "Application", cell: ({ application }) => application },
              ...TERMS.map(({ name, label }) => ({
                title: label,
                numeric: true,
                cell: (row: Totals) => figure(row[name]),
              })),
            ]}
          />
        </details>
      )}
    </>
  );
}

function Verdict({ total }: { total: Totals }) {
  if (total.queue_rolled_back) {
    return (
      <p class="note bad" role="alert">
        The queue lost its memory and gave numbers out twice: what it had acknowledged and lost is gone. The runbook
        says what to do under “Redis lost data”.
      </p>
    );
  }
  if (total.unaccounted !== 0) {
    return (
      <p class="note bad" role="alert">
        {figure(total.unaccounted)} logs are in neither queue, database nor dead letters. Count again in a minute; if
        the number stays, follow the runbook.
      </p>
    );
  }
  return null;
}

function isBad(name: Count, total: Totals): boolean {
  return name === "unaccounted" && total.unaccounted !== 0;
}
