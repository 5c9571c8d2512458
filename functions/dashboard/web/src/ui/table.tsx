import type { ComponentChildren } from "preact";

export interface Column<Row> {
  title: string;
  /** What the head shows in place of the title; null for nothing to see. */
  head?: ComponentChildren;
  cell: (row: Row) => ComponentChildren;
  /** Right-aligned figures of equal width. */
  numeric?: boolean;
  /** Dropped where the screen is narrow. */
  wideOnly?: boolean;
}

interface Props<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string | number;
}

/** A table for tens of rows; it scrolls sideways by itself where it must. */
export function Table<Row>({ caption, columns, rows, rowKey }: Props<Row>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll it
    <section class="table-scroll" aria-label={caption} tabIndex={0}>
      <table>
        <caption class="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" class={classOf(column)}>
                {column.head === undefined ? (
                  column.title
                ) : (
                  <>
                    <span class="visually-hidden">{column.title}</span>
                    {column.head}
                  </>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map((column) => (
                <td key={column.title} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function classOf<Row>({ numeric, wideOnly }: Column<Row>): string {
  return [numeric ? "numeric" : "", wideOnly ? "wide-only" : ""].join(" ").trim();
}
