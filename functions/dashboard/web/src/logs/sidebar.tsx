/** The most frequent values of each field, to filter by. */
import { useSignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { asProblem, type Problem } from "../api";
import { shortFigure } from "../figures";
import { LEVELS, levelClass } from "../levels";
import { isAdmin } from "../session";
import { Button } from "../ui";
import { readFacet } from "./facets";
import { totals } from "./histogram";
import { hasTerm, term, withoutTerm, withTerm } from "./language";
import { TEXT_FIELDS } from "./model";
import { counts, question } from "./search";
import { ask, store, stored, view } from "./view";

const LIMIT = 10;
const TITLES: Record<string, string> = { trace_id: "Trace", span_id: "Span", session_id: "Session" };

export function Sidebar() {
  const fields = [...(isAdmin.value ? ["application"] : []), ...TEXT_FIELDS.filter((field) => field !== "span_id")];
  return (
    <div class="facets">
      <Section name="level" title="Level" usuallyOpen>
        <Levels />
      </Section>
      {fields.map((field) => (
        <Section
          key={field}
          name={field}
          title={TITLES[field] ?? field[0]!.toUpperCase() + field.slice(1)}
          usuallyOpen={field === "application" || field === "service"}
        >
          <Values field={field} />
        </Section>
      ))}
      <Section name="metadata" title="Metadata">
        <MetadataKeys />
      </Section>
    </div>
  );
}

interface SectionProps {
  name: string;
  title: string;
  usuallyOpen?: boolean;
  children: preact.ComponentChildren;
}

/** Asks for nothing while it is closed. */
function Section({ name, title, usuallyOpen = false, children }: SectionProps) {
  const kept = stored(`facet.${name}`);
  const isOpen = useSignal(kept === null ? usuallyOpen : kept === "open");
  return (
    <details
      class="logs-facet"
      open={isOpen.value}
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open;
        store(`facet.${name}`, isOpen.value ? "open" : "closed");
      }}
    >
      <summary>{title}</summary>
      {isOpen.value && children}
    </details>
  );
}

function Levels() {
  const found = counts.value ? totals(counts.value) : null;
  const highest = Math.max(1, ...Object.values(found ?? {}));
  return (
    <ul>
      {[...LEVELS].reverse().map((level) => (
        <Value key={level} field="level" value={level} count={found?.[level] ?? null} highest={highest} />
      ))}
    </ul>
  );
}

function Values({ field }: { field: string }) {
  const facet = useFacet(field);
  if (!facet.answer) {
    return <Pending problem={facet.problem} />;
  }
  const { values, other_count, partial } = facet.answer;
  const highest = Math.max(1, ...values.map(({ count }) => count));
  return (
    <>
      <ul>
        {values.map(({ value, count }) => (
          <Value key={value} field={field} value={String(value)} count={count} highest={highest} />
        ))}
      </ul>
      {values.length === 0 && <p class="hint">No log has it here.</p>}
      {other_count > 0 && <p class="hint">{shortFigure(other_count)} with other values</p>}
      {partial && <p class="hint">Counted as far as the time allowed.</p>}
    </>
  );
}

function MetadataKeys() {
  const facet = useFacet("metadata");
  if (!facet.answer) {
    return <Pending problem={facet.problem} />;
  }
  const keys = facet.answer.values.map(({ value }) => String(value).replace(/^metadata\./, ""));
  return keys.length === 0 ? (
    <p class="hint">No metadata here.</p>
  ) : (
    <div class="logs-keys">
      {keys.map((key) => (
        <Section key={key} name={`metadata.${key}`} title={key}>
          <Values field={`metadata.${key}`} />
        </Section>
      ))}
    </div>
  );
}

function Pending({ problem }: { problem: Problem | null }) {
  return problem === null ? (
    <p class="hint logs-pending">Counting…</p>
  ) : (
    <p class="hint">{problem.code === "invalid_query" ? "" : problem.detail}</p>
  );
}

interface ValueProps {
  field: string;
  value: string;
  count: number | null;
  highest: number;
}

function Value({ field, value, count, highest }: ValueProps) {
  const { q } = view.value;
  const [only, without] = [term(field, value), term(field, value, true)];
  const [isOnly, isWithout] = [hasTerm(q, only), hasTerm(q, without)];
  const flip = (written: string, isSet: boolean) => ask({ q: isSet ? withoutTerm(q, written) : withTerm(q, written) });
  return (
    <li class={`${isWithout ? "is-excluded" : ""} ${field === "level" ? levelClass(value) : ""}`}>
      <button
        type="button"
        class="logs-facet-value"
        aria-pressed={isOnly}
        title={isOnly ? `Do not demand ${only}` : `Only ${only}`}
        onClick={() => flip(only, isOnly)}
      >
        <span class="logs-facet-bar" style={{ width: `${((count ?? 0) / highest) * 100}%` }} aria-hidden="true" />
        {field === "level" && <span class="dot" aria-hidden="true" />}
        <span class="logs-facet-text">{field === "level" ? value.toLowerCase() : value || "(empty)"}</span>
        <span class="logs-facet-count">{count === null ? "" : shortFigure(count)}</span>
      </button>
      <Button
        quiet
        icon="minus"
        label={isWithout ? `Show ${value} again` : `Without ${value}`}
        pressed={isWithout}
        onClick={() => flip(without, isWithout)}
      />
    </li>
  );
}

function useFacet(field: string) {
  const [facet, setFacet] = useState<{ answer: Awaited<ReturnType<typeof readFacet>> | null; problem: Problem | null }>(
    {
      answer: null,
      problem: null,
    },
  );
  const asked = question.value;
  useEffect(() => {
    let isCurrent = true;
    const { q, since, until } = view.value;
    readFacet(field, { q, since, until }, LIMIT).then(
      (answer) => isCurrent && setFacet({ answer, problem: null }),
      (error) => isCurrent && setFacet({ answer: null, problem: asProblem(error) }),
    );
    return () => {
      isCurrent = false;
    };
  }, [field, asked]);
  return facet;
}
