/** What the search box offers: names of fields, and the values that are most frequent in the time shown. */

import type { TimeRange } from "../time";
import { readFacet } from "./facets";
import { type Completion, type Field, written, writtenName } from "./language";
import { readLanguage } from "./vocabulary";

export interface Offer {
  text: string;
  note: string;
  start: number;
  end: number;
}

interface Candidate {
  written: string;
  value: string;
  note: string;
  /** Other names that lead here. */
  also?: string[];
  /** Whether something must follow, so that no blank does. */
  goesOn?: boolean;
}

const MAX_OFFERS = 12;
const MAX_VALUES = 50;
const METADATA = "metadata.";
const COMPARISON = /^[<>]=?/;

/** Never rejects: what cannot be known is not offered. */
export async function offersFor(wanted: Completion, range: TimeRange): Promise<Offer[]> {
  const { fields } = await readLanguage();
  if (wanted.kind === "field") {
    return offers(wanted, await fieldCandidates(wanted, fields, range));
  }
  const field = fields.find(({ name }) => name === wanted.field);
  return offers(wanted, field?.values.length ? fixedValues(wanted, field) : await values(wanted, fields, range));
}

async function fieldCandidates({ prefix, start }: Completion, fields: Field[], range: TimeRange): Promise<Candidate[]> {
  if (prefix.startsWith(METADATA)) {
    return (await frequent("metadata", range)).map(({ value, note }) => {
      const name = `${writtenName(METADATA + value.replace(/^metadata\./, ""))}:`;
      return { written: name, value: name, note, goesOn: true };
    });
  }
  const isAsked = prefix.length > 0 || start === 0;
  return isAsked ? fields.map((field) => ({ ...named(field), goesOn: true })) : [];
}

function named({ name, aliases, meaning }: Field): Candidate {
  const text = name === METADATA ? METADATA : `${writtenName(name)}:`;
  return { written: text, value: text, note: meaning, also: [name, ...aliases] };
}

/** `level:>=w` goes on to `level:>=warning`. */
function fixedValues({ prefix }: Completion, field: Field): Candidate[] {
  const comparison = COMPARISON.exec(prefix)?.[0] ?? "";
  return field.values.map((value) => ({ written: comparison + value, value: comparison + value, note: "" }));
}

async function values({ field }: Completion, fields: Field[], range: TimeRange): Promise<Candidate[]> {
  if (field === "has") {
    return fields
      .filter(({ name, values }) => name !== "has" && values.length === 0)
      .map((other) => ({ ...named(other), written: named(other).written.replace(":", "") }));
  }
  return (await frequent(field, range)).map(({ value, note }) => ({ written: written(value), value, note }));
}

function offers({ prefix, start, end }: Completion, candidates: Candidate[]): Offer[] {
  const typed = prefix.toLowerCase();
  const begins = candidates.filter(({ value, also = [] }) =>
    [value, ...also].some((name) => name.toLowerCase().startsWith(typed)),
  );
  const holds = candidates.filter(
    ({ value, note }) =>
      !begins.some((other) => other.value === value) &&
      typed.length > 1 &&
      (value.toLowerCase().includes(typed) || hasWord(note, typed)),
  );
  const found = [...begins, ...holds].slice(0, MAX_OFFERS);
  if (found.length === 1 && found[0]!.written === prefix) {
    return [];
  }
  return found.map(({ written, note, goesOn }) => ({ text: goesOn ? written : `${written} `, note, start, end }));
}

/** Whether a word of `text` begins with `typed`. */
function hasWord(text: string, typed: string): boolean {
  return text
    .toLowerCase()
    .split(/[^\w]+/)
    .some((word) => word.startsWith(typed));
}

async function frequent(field: string, range: TimeRange): Promise<{ value: string; note: string }[]> {
  try {
    const { values } = await readFacet(field, { since: range.since, until: range.until }, MAX_VALUES);
    return values.map(({ value, count }) => ({ value: String(value), note: count.toLocaleString("en") }));
  } catch {
    return []; // completion is a help; the search itself will say what is wrong
  }
}
