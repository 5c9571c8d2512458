/** What the search box offers: names of fields, and the values that are most frequent in the time shown. */
import { readFacet } from "./facets";
import { type Completion, FIELD_HELP, LEVEL_VALUES, written, writtenName } from "./language";
import type { TimeRange } from "./time";

export interface Offer {
  text: string;
  note: string;
  start: number;
  end: number;
}

const MAX_OFFERS = 10;
const MAX_VALUES = 50;

/** Calls `onOffers` with what is known at once, and again when the API has answered. */
export function offersFor(wanted: Completion, range: TimeRange, onOffers: (offers: Offer[]) => void): void {
  if (wanted.kind === "field") {
    offerFields(wanted, range, onOffers);
  } else if (wanted.field === "level") {
    onOffers(
      offers(
        wanted,
        LEVEL_VALUES.map((value) => ({ written: value, value, note: "" })),
      ),
    );
  } else if (wanted.field === "has") {
    onOffers(
      offers(
        wanted,
        FIELD_HELP.filter(([name]) => name !== "has:" && name !== "level:").map(([name, note]) => ({
          written: name.replace(":", ""),
          value: name,
          note,
        })),
      ),
    );
  } else {
    onOffers([]);
    void valuesOf(wanted.field, range).then((values) =>
      onOffers(
        offers(
          wanted,
          values.map(({ value, note }) => ({ written: written(value), value, note })),
        ),
      ),
    );
  }
}

function offerFields(wanted: Completion, range: TimeRange, onOffers: (offers: Offer[]) => void): void {
  if (!wanted.prefix.startsWith("metadata.")) {
    const names = FIELD_HELP.map(([name, note]) => ({ written: name, value: name, note, goesOn: true }));
    onOffers(wanted.prefix.length > 0 || wanted.start === 0 ? offers(wanted, names) : []);
    return;
  }
  onOffers([]);
  void valuesOf("metadata", range).then((keys) =>
    onOffers(
      offers(
        wanted,
        keys.map(({ value, note }) => {
          const name = `${writtenName(`metadata.${value.replace(/^metadata\./, "")}`)}:`;
          return { written: name, value: name, note, goesOn: true };
        }),
      ),
    ),
  );
}

interface Candidate {
  written: string;
  value: string;
  note: string;
  /** Whether something must follow, so that no blank does. */
  goesOn?: boolean;
}

function offers({ prefix, start, end }: Completion, candidates: Candidate[]): Offer[] {
  const typed = prefix.toLowerCase();
  const begins = candidates.filter(({ value }) => value.toLowerCase().startsWith(typed));
  const holds = candidates.filter(
    ({ value }) =>
      !begins.some((other) => other.value === value) && typed.length > 1 && value.toLowerCase().includes(typed),
  );
  const found = [...begins, ...holds].slice(0, MAX_OFFERS);
  if (found.length === 1 && found[0]!.written === prefix) {
    return [];
  }
  return found.map(({ written, note, goesOn }) => ({ text: goesOn ? written : `${written} `, note, start, end }));
}

async function valuesOf(field: string, range: TimeRange): Promise<{ value: string; note: string }[]> {
  try {
    const { values } = await readFacet(field, { since: range.since, until: range.until }, MAX_VALUES);
    return values.map(({ value, count }) => ({ value: String(value), note: count.toLocaleString("en") }));
  } catch {
    return []; // completion is a help; the search itself will say what is wrong
  }
}
