/** The whole result as a file: follows the cursors, page by page, and keeps what it got as bytes. */
import { download } from "../api";
import { lineCount, rowCount, withoutHeader } from "./csv";
import { filtersOf, type View } from "./url";

export type Format = "ndjson" | "csv";

export interface Progress {
  rows: number;
  bytes: number;
}

const PAGE_ROWS = 10_000;
/** What a browser holds in one piece without trouble. */
export const MAX_BYTES = 1_000_000_000;

/** Rejects with a Problem, or as `signal` says. `isComplete` is false where MAX_BYTES ended it. */
export async function collect(
  view: View,
  format: Format,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<{ blob: Blob; isComplete: boolean }> {
  const parts: string[] = [];
  const progress = { rows: 0, bytes: 0 };
  let cursor: string | null = "";
  do {
    const query = { ...filtersOf(view), order: view.order, format, limit: PAGE_ROWS, cursor };
    const response: Response = await download("api/logs", { query, signal });
    const text: string = await response.text();
    const part = format === "csv" && parts.length > 0 ? withoutHeader(text) : text;
    parts.push(part);
    progress.bytes += part.length;
    progress.rows += format === "csv" ? rowCount(part) - (parts.length === 1 ? 1 : 0) : lineCount(part);
    cursor = response.headers.get("Sluice-Next-Cursor");
    onProgress({ ...progress });
  } while (cursor && progress.bytes < MAX_BYTES);
  return {
    blob: new Blob(parts, { type: format === "csv" ? "text/csv" : "application/x-ndjson" }),
    isComplete: !cursor,
  };
}

/** Gives a file to the person. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
