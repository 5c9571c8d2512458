/** CSV as the API writes it. */

/** Each page of CSV is a file of its own. */
export function withoutHeader(csv: string): string {
  return csv.slice(csv.indexOf("\n") + 1);
}

/** Line breaks within quotes end no row. */
export function rowCount(csv: string): number {
  return csv.split('"').reduce((sum, text, at) => sum + (at % 2 === 0 ? lineCount(text) : 0), 0);
}

export function lineCount(text: string): number {
  return text.split("\n").length - 1;
}
