/** The query language as far as the page needs it: colours, completion, and terms to put in and take out. The API alone
 *  decides what a query means, and where it is mistaken. */
export type TokenKind = "blank" | "operator" | "field" | "value" | "word" | "phrase";

export interface Token {
  kind: TokenKind;
  text: string;
  start: number;
}

export interface Completion {
  /** What the list offers: fields (and operators), or values of `field`. */
  kind: "field" | "value";
  field: string;
  /** What is typed so far, without quotes. */
  prefix: string;
  /** What an offer takes the place of. */
  start: number;
  end: number;
}

/** What a query may name, as `GET /api/query-language` describes it. The name of metadata ends in a dot. */
export interface Field {
  name: string;
  /** Other names; the first one is written. */
  aliases: string[];
  meaning: string;
  /** All that there are, where they are few. */
  values: string[];
}

let fields: readonly Field[] = [];

/** Takes over what the API understands; until then, fields have no other names. */
export function learn(described: readonly Field[]): void {
  fields = described;
}

const OPERATORS = ["AND", "OR", "NOT"];
const PLAIN = /^[^\s()":*<>=-][^\s()":*]*$/;
const PIECE = /\s+|[()]|-|(?:[^\s()"]|"(?:[^"\\]|\\.)*"?)+/gsy;
const FIELD = /^((?:metadata\.)?(?:"(?:[^"\\]|\\.)*"|[^":]*)):/s;

/** All of `query` in pieces; joined they give it again. */
export function tokenise(query: string): Token[] {
  return [...query.matchAll(PIECE)].flatMap(({ 0: text, index }) => pieces(text, index));
}

function pieces(text: string, start: number): Token[] {
  if (/^\s/.test(text)) {
    return [{ kind: "blank", text, start }];
  }
  if (text === "(" || text === ")" || text === "-" || OPERATORS.includes(text)) {
    return [{ kind: "operator", text, start }];
  }
  const name = FIELD.exec(text)?.[0];
  if (!name) {
    return [{ kind: text.startsWith('"') ? "phrase" : "word", text, start }];
  }
  const value = text.slice(name.length);
  const field: Token = { kind: "field", text: name, start };
  return value ? [field, { kind: "value", text: value, start: start + name.length }] : [field];
}

/** The term at the caret, to complete; null within a phrase. */
export function completionAt(query: string, caret: number): Completion | null {
  const before = tokenise(query.slice(0, caret));
  const last = before.at(-1);
  if (!last || last.kind === "blank" || last.kind === "operator") {
    return { kind: "field", field: "", prefix: "", start: caret, end: caret };
  }
  if (last.kind === "phrase") {
    return null;
  }
  const rest = /^[^\s()]*/.exec(query.slice(caret))?.[0] ?? "";
  const end = caret + rest.length;
  if (last.kind === "word") {
    return { kind: "field", field: "", prefix: last.text, start: last.start, end };
  }
  const name = last.kind === "field" ? last : before.at(-2)!;
  return {
    kind: "value",
    field: longName(name.text.slice(0, -1)),
    prefix: last.kind === "value" ? last.text.replace(/^"/, "") : "",
    start: name.start + name.text.length,
    end,
  };
}

/** `app` is `application`; a quoted key of the metadata loses its quotes. */
export function longName(name: string): string {
  const key = /^metadata\."(.*)"$/s.exec(name)?.[1];
  if (key !== undefined) {
    return `metadata.${unescaped(key)}`;
  }
  return fields.find(({ aliases }) => aliases.includes(name))?.name ?? name;
}

/** `value` as it is written in a query. */
export function written(value: string): string {
  return PLAIN.test(value) && !OPERATORS.includes(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/** A term such as `level:error` or `-metadata.user_id:42`. */
export function term(field: string, value: string, isNegated = false): string {
  const shown = field === "level" ? value.toLowerCase() : written(value);
  return `${isNegated ? "-" : ""}${writtenName(field)}:${shown}`;
}

export function writtenName(field: string): string {
  const key = field.startsWith("metadata.") ? field.slice("metadata.".length) : null;
  if (key !== null && !PLAIN.test(key)) {
    return `metadata."${key.replace(/["\\]/g, "\\$&")}"`;
  }
  return fields.find(({ name }) => name === field)?.aliases[0] ?? field;
}

/** The query with `added` demanded as well, in place of its opposite and without saying it twice. */
export function withTerm(query: string, added: string): string {
  const rest = withoutTerm(withoutTerm(query, opposite(added)), added).trim();
  return `${hasTopLevelOr(rest) ? `(${rest})` : rest} ${added}`.trim();
}

/** The query without each occurrence of a term that all logs must fit. */
export function withoutTerm(query: string, removed: string): string {
  const terms = topLevelTerms(query);
  if (hasTopLevelOr(query) || !terms.some(({ text }) => text === removed)) {
    return query;
  }
  return terms
    .filter(({ text }) => text !== removed)
    .map(({ text }) => text)
    .join(" ");
}

export function hasTerm(query: string, sought: string): boolean {
  return !hasTopLevelOr(query) && topLevelTerms(query).some(({ text }) => text === sought);
}

function opposite(written: string): string {
  return written.startsWith("-") ? written.slice(1) : `-${written}`;
}

function hasTopLevelOr(query: string): boolean {
  return topLevelTerms(query).some(({ text }) => text === "OR");
}

/** What stands outside of parentheses, a parenthesised part as one, a minus sign with what it negates. */
function topLevelTerms(query: string): { text: string }[] {
  const terms: { text: string }[] = [];
  let depth = 0;
  let isOpen = false; // whether the next piece belongs to the last term
  for (const { kind, text } of tokenise(query)) {
    const isWithin = depth > 0 || isOpen || kind === "value";
    if (kind === "operator") {
      depth = Math.max(0, depth + (text === "(" ? 1 : text === ")" ? -1 : 0));
    }
    if (isWithin && terms.length > 0) {
      terms.at(-1)!.text += text;
    } else if (kind !== "blank") {
      terms.push({ text });
    }
    isOpen = kind === "operator" && text === "-";
  }
  return joinNegated(terms);
}

/** `NOT x` is one term, too. */
function joinNegated(terms: { text: string }[]): { text: string }[] {
  const joined: { text: string }[] = [];
  for (const { text } of terms) {
    const last = joined.at(-1);
    if (last && /^(NOT|AND)$/.test(last.text)) {
      last.text = last.text === "AND" ? text : `NOT ${text}`;
    } else {
      joined.push({ text });
    }
  }
  return joined;
}

/** The words and phrases that a match holds: to be marked in messages. */
export function soughtTexts(query: string): string[] {
  const tokens = tokenise(query).filter(({ kind }) => kind !== "blank");
  return tokens
    .filter(({ kind }, at) => {
      const before = tokens[at - 1]?.text;
      return (kind === "word" || kind === "phrase") && before !== "-" && before !== "NOT";
    })
    .map(({ kind, text }) => (kind === "phrase" ? unescaped(text.replace(/^"|"?\*?$/g, "")) : text.replace(/\*$/, "")))
    .filter(Boolean);
}

function unescaped(text: string): string {
  return text.replace(/\\(["\\])/g, "$1");
}

/** Python counts characters, JavaScript halves of surrogate pairs. */
export function utf16Index(text: string, characters: number): number {
  return [...text].slice(0, characters).join("").length;
}
