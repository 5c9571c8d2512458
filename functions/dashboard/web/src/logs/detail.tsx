/** A log's full record. */

import { useState } from "preact/hooks";
import { figure } from "../figures";
import { BLOCK_CHARACTERS, toJson } from "../text";
import { formatTime, iso, zoneTitle } from "../time";
import { Button, CopyButton } from "../ui";
import { zone } from "../zone";
import { term, withTerm } from "./language";
import { type Log, TEXT_FIELDS } from "./model";
import { Neighbours } from "./neighbours";
import { LogText } from "./pieces";
import { Tree } from "./tree";
import { ask, show, view, viewLink } from "./view";

const AROUND_MILLISECONDS = 5 * 60_000;
const NUMBER_FIELDS = ["severity_number", "severity_text", "original_length"];

export function Detail({ log }: { log: Log }) {
  const [isContextShown, setContextShown] = useState(false);
  return (
    <div class="logs-detail">
      <div class="logs-detail-tools">
        <Button icon="context" pressed={isContextShown} onClick={() => setContextShown(!isContextShown)}>
          Context
        </Button>
        {log.trace_id !== undefined && (
          <Button icon="trace" onClick={() => ask({ q: term("trace_id", String(log.trace_id)) })}>
            Same trace
          </Button>
        )}
        <span class="logs-detail-copy">
          <CopyButton text={log.message} label="Copy the message" />
          <CopyButton text={toJson(log, 2)} label="Copy as JSON" icon="braces" />
          <CopyButton text={linkTo(log)} label="Copy link to this log" icon="link" />
        </span>
      </div>
      <FullText text={log.message} />
      {isContextShown && <Neighbours log={log} />}
      <div class="logs-record">
        <Fields log={log} />
        <section class="logs-metadata" aria-label="Metadata">
          <h3>Metadata</h3>
          {isEmpty(log.metadata) ? <p class="hint">This log has none.</p> : <Tree value={log.metadata} />}
        </section>
      </div>
    </div>
  );
}

/** Shows the log among its neighbours in time, also when "the last 15 minutes" are others. */
function linkTo(log: Log): string {
  const at = Date.parse(log.timestamp);
  const range = { since: iso(at - AROUND_MILLISECONDS), until: iso(at + AROUND_MILLISECONDS) };
  return new URL(viewLink({ ...range, log: log.id, isTailing: false }), location.href).href;
}

function FullText({ text }: { text: string }) {
  const [isWhole, setWhole] = useState(text.length <= BLOCK_CHARACTERS);
  return (
    <div class="logs-full">
      <pre>
        <LogText text={isWhole ? text : text.slice(0, BLOCK_CHARACTERS)} />
      </pre>
      {!isWhole && <Button onClick={() => setWhole(true)}>Show all {figure(text.length)} characters</Button>}
    </div>
  );
}

function Fields({ log }: { log: Log }) {
  const other = zone.value === "utc" ? "local" : "utc";
  return (
    <section aria-label="Fields">
      <h3>Fields</h3>
      <dl class="logs-fields">
        <Field name="time">
          {formatTime(log.timestamp, zone.value)}
          {log.timestamp.match(/\.\d+/)?.[0] ?? ""}{" "}
          <span class="muted">{zoneTitle(zone.value, Date.parse(log.timestamp))}</span>
          {zoneTitle(other) !== zoneTitle(zone.value) && (
            <span class="muted">
              {" "}
              · {formatTime(log.timestamp, other)} {zoneTitle(other, Date.parse(log.timestamp))}
            </span>
          )}
        </Field>
        <Field name="received">{formatTime(log.received_at, zone.value)}</Field>
        <Filterable name="level" value={log.level.toLowerCase()} />
        <Filterable name="application" value={log.application} />
        {TEXT_FIELDS.filter((field) => log[field] !== undefined).map((field) => (
          <Filterable key={field} name={field} value={String(log[field])} isColumn />
        ))}
        {NUMBER_FIELDS.filter((field) => log[field] !== undefined).map((field) => (
          <Field key={field} name={field}>
            {String(log[field])}
          </Field>
        ))}
        <Field name="id">
          <span class="mono">{log.id}</span>
        </Field>
        {log.flags.length > 0 && <Field name="flags">{log.flags.join(", ")}</Field>}
      </dl>
    </section>
  );
}

function Field({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div class="logs-field-row">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Filterable({ name, value, isColumn = false }: { name: string; value: string; isColumn?: boolean }) {
  return (
    <div class="logs-field-row">
      <dt>{name}</dt>
      <dd>
        <LogText text={value} marks={[]} />
        <FilterButtons field={name} value={value} isColumn={isColumn} />
      </dd>
    </div>
  );
}

/** Only such logs, none of them, or the field as a column. */
export function FilterButtons({ field, value, isColumn = true }: { field: string; value: string; isColumn?: boolean }) {
  const { q, columns } = view.value;
  const isShown = columns.includes(field);
  return (
    <span class="logs-filter-buttons">
      <Button
        quiet
        icon="plus"
        label={`Only ${field}: ${value}`}
        onClick={() => ask({ q: withTerm(q, term(field, value)) })}
      />
      <Button
        quiet
        icon="minus"
        label={`Without ${field}: ${value}`}
        onClick={() => ask({ q: withTerm(q, term(field, value, true)) })}
      />
      {isColumn && (
        <Button
          quiet
          icon="column"
          label={isShown ? `No column ${field}` : `Column ${field}`}
          pressed={isShown}
          onClick={() =>
            show(
              { columns: isShown ? columns.filter((name) => name !== field) : [...columns, field] },
              { replace: true },
            )
          }
        />
      )}
    </span>
  );
}

function isEmpty(metadata: unknown): boolean {
  return (
    metadata === null || metadata === undefined || (typeof metadata === "object" && Object.keys(metadata).length === 0)
  );
}
