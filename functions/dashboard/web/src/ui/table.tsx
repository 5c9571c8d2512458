import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { Icon } from "./icon";
import { useScrollHint } from "./scrollhint";

export interface Column<Row> {
  title: string;
  /** What the head shows in place of the title; null for nothing to see. */
  head?: ComponentChildren;
  cell: (row: Row) => ComponentChildren;
  /** Right-aligned figures of equal width. */
  numeric?: boolean;
  /** Dropped where the screen is narrow. */
  wideOnly?: boolean;
  /** Takes what room there is, in several lines. */
  wraps?: boolean;
  /** The order that a click on the head asks for. */
  order?: string;
}

interface Props<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string | number;
  /** By which `order` of a column the rows are sorted, most first. */
  order?: string;
  onOrder?: (order: string) => void;
}

/** A table for tens of rows; it scrolls sideways by itself where it must, and shows that it can. */
export function Table<Row>({ caption, columns, rows, rowKey, order, onOrder }: Props<Row>) {
  const root = useRef<HTMLElement>(null);
  useScrollHint(root);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll it
    <section class="table-scroll" aria-label={caption} tabIndex={0} ref={root}>
      <table>
        <caption class="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.title}
                scope="col"
                class={classOf(column)}
                aria-sort={column.order && column.order === order ? "descending" : undefined}
              >
                <Head column={column} order={order} onOrder={onOrder} />
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

interface HeadProps<Row> {
  column: Column<Row>;
  order: string | undefined;
  onOrder: ((order: string) => void) | undefined;
}

function Head<Row>({ column, order, onOrder }: HeadProps<Row>) {
  if (column.order && onOrder) {
    return (
      <button type="button" class="table-order" onClick={() => onOrder(column.order!)}>
        {column.title}
        {column.order === order && <Icon name="down" />}
      </button>
    );
  }
  return column.head === undefined ? (
    column.title
  ) : (
    <>
      <span class="visually-hidden">{column.title}</span>
      {column.head}
    </>
  );
}

function classOf<Row>({ numeric, wideOnly, wraps }: Column<Row>): string {
  return [numeric ? "numeric" : "", wideOnly ? "wide-only" : "", wraps ? "wraps" : ""].filter(Boolean).join(" ");
}
