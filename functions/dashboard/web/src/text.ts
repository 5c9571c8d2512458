/** Log text for the eye: nothing in it can hide, reorder or overflow what is shown. */

/** A piece of text, marked where it matches the query, `isControl` where it stands for an invisible character. */
export interface Piece {
  text: string;
  isMatch?: boolean;
  isControl?: boolean;
}

/** Longest message shown on one line, and in a wrapped row; the record shows all. */
export const LINE_CHARACTERS = 1_000;
export const BLOCK_CHARACTERS = 20_000;

// Control characters but tab and line feed, and what changes the direction of text or takes no room.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours that programs write to terminals
const ANSI = /\u001b\[[0-9;:]*m/g;

/** `text` in pieces; joined they give it again but for terminal colours, which are left out, and hidden characters, which
 *  get a visible stand-in. */
export function pieces(text: string, sought: readonly string[]): Piece[] {
  return marked(text.replace(ANSI, ""), sought).flatMap(revealed);
}

function marked(text: string, sought: readonly string[]): Piece[] {
  if (sought.length === 0) {
    return [{ text }];
  }
  const pattern = new RegExp(sought.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "giu");
  const found: Piece[] = [];
  let at = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    found.push({ text: text.slice(at, index) }, { text: match, isMatch: true });
    at = index + match.length;
  }
  found.push({ text: text.slice(at) });
  return found.filter((piece) => piece.text);
}

function revealed(piece: Piece): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const { 0: character, index } of piece.text.matchAll(HIDDEN)) {
    found.push(
      { ...piece, text: piece.text.slice(at, index) },
      { ...piece, text: standIn(character), isControl: true },
    );
    at = index + character.length;
  }
  found.push({ ...piece, text: piece.text.slice(at) });
  return found.filter(({ text }) => text);
}

function standIn(character: string): string {
  const code = character.codePointAt(0)!;
  if (code < 0x20) {
    return String.fromCodePoint(0x2400 + code);
  }
  return code === 0x7f ? "\u2421" : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The first line, or as much of it as fits; whether there is more. Line breaks further on become a visible sign. */
export function firstLine(text: string): { text: string; isCut: boolean } {
  const line = text.slice(0, LINE_CHARACTERS).trimEnd().replace(/\r?\n/g, " ⏎ ");
  return { text: line, isCut: text.length > LINE_CHARACTERS };
}

/** Any JSON value as one line. */
export function shortText(value: unknown): string {
  if (value === undefined || value === null) {
    return value === null ? "null" : "";
  }
  return typeof value === "object" ? toJson(value) : String(value);
}

/** JSON text; integers beyond 2^53, which the page holds as BigInt, are written as they came. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_, member) => (typeof member === "bigint" ? rawNumber(member) : member), indent);
}

function rawNumber(number: bigint): unknown {
  const raw = (JSON as unknown as { rawJSON?: (text: string) => unknown }).rawJSON;
  return raw ? raw(String(number)) : String(number);
}
