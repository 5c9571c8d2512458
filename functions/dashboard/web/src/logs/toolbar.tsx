/** What is above the list: how it is shown, and the way out of it as a file. */
import { useRef, useState } from "preact/hooks";
import { asProblem } from "../api";
import { figure } from "../figures";
import { Button, Icon, toast, toastProblem } from "../ui";
import { collect, type Format, type Progress, save } from "./export";
import { Menu } from "./menu";
import { TEXT_FIELDS } from "./model";
import { expanded, followed, isSearching, rows } from "./search";
import { isAtNewest, showWaiting, tailStatus, toggleTail } from "./tail";
import { ask, show, view } from "./view";

export function Toolbar({ onFilters, isFilters }: { onFilters: () => void; isFilters: boolean }) {
  const { order, wraps, isTailing } = view.value;
  return (
    <div class="logs-toolbar">
      <Button quiet icon="filter" pressed={isFilters} onClick={onFilters}>
        Fields
      </Button>
      <Button quiet icon={isTailing ? "pause" : "play"} pressed={isTailing} onClick={toggleTail}>
        Live
      </Button>
      <TailState />
      <span class="logs-toolbar-end">
        <Button
          quiet
          icon="order"
          label={order === "desc" ? "Newest first" : "Oldest first"}
          onClick={() => ask({ order: order === "desc" ? "asc" : "desc" })}
        />
        <Button
          quiet
          icon="wrap"
          label="Wrap long messages"
          pressed={wraps}
          onClick={() => show({ wraps: !wraps }, { replace: true })}
        />
        <Columns />
        <Export />
      </span>
    </div>
  );
}

function TailState() {
  const status = tailStatus.value;
  const waiting = followed.value.waiting.length;
  if (status === "off") {
    return (
      <span class="hint" role="status">
        {isSearching.value ? "Searching…" : ""}
      </span>
    );
  }
  const text =
    typeof status === "object"
      ? `${status.detail} Trying again…`
      : {
          live: "in the order of arrival",
          behind: "catching up: more arrives than can be shown",
          hidden: "resting while nobody looks",
        }[status];
  return (
    <span class="logs-tail-state" role="status">
      <span class={`logs-pulse ${status === "live" ? "is-live" : ""}`} aria-hidden="true" />
      <span class="hint">{text}</span>
      {waiting > 0 && (
        <button type="button" class="button logs-waiting" onClick={resume}>
          <Icon name="up" /> {figure(waiting)} new
        </button>
      )}
    </span>
  );
}

function resume() {
  show({ log: null }, { replace: true });
  expanded.value = new Set();
  showWaiting();
  isAtNewest.value = true;
  document.querySelector(".logs-list")?.scrollTo({ top: 0 });
}

function Columns() {
  const [isOpen, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const { columns } = view.value;
  const all = [...new Set([...TEXT_FIELDS, ...columns])];
  const put = (chosen: string[]) => show({ columns: chosen }, { replace: true });

  function add(event: Event) {
    event.preventDefault();
    const name = typed.trim();
    if (name) {
      put([
        ...columns,
        (TEXT_FIELDS as readonly string[]).includes(name) || name.startsWith("metadata.") ? name : `metadata.${name}`,
      ]);
      setTyped("");
    }
  }

  return (
    <Menu title="Columns" icon="column" compact align="right" isOpen={isOpen} onToggle={setOpen}>
      <fieldset class="logs-columns">
        <legend>Columns</legend>
        {all.map((name) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={columns.includes(name)}
              onChange={() =>
                put(columns.includes(name) ? columns.filter((other) => other !== name) : [...columns, name])
              }
            />{" "}
            {name}
          </label>
        ))}
      </fieldset>
      <form class="logs-column-form" onSubmit={add}>
        <input
          aria-label="Key of the metadata"
          placeholder="metadata key"
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <Button type="submit">Add</Button>
      </form>
    </Menu>
  );
}

function Export() {
  const [isOpen, setOpen] = useState(false);
  const [progress, setProgress] = useState<Progress | null>(null);
  const ended = useRef<AbortController | null>(null);

  async function run(format: Format) {
    const control = new AbortController();
    ended.current = control;
    setProgress({ rows: 0, bytes: 0 });
    try {
      const { blob, isComplete } = await collect(view.value, format, control.signal, setProgress);
      save(blob, `logs-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${format}`);
      if (!isComplete) {
        toast("The file ends at 1 GB: export a shorter time range to have the rest.", "error");
      }
      setOpen(false);
    } catch (error) {
      if (!control.signal.aborted) {
        toastProblem(asProblem(error));
      }
    } finally {
      setProgress(null);
    }
  }

  return (
    <Menu title="Export" icon="download" compact align="right" isOpen={isOpen} onToggle={setOpen}>
      {progress ? (
        <div class="logs-export">
          <p role="status">
            {figure(progress.rows)} logs, {(progress.bytes / 1e6).toFixed(1)} MB
          </p>
          <progress aria-label="Export" />
          <Button onClick={() => ended.current?.abort()}>Cancel</Button>
        </div>
      ) : (
        <div class="logs-export">
          <p class="hint">All logs that the search finds, not only those loaded.</p>
          <Button icon="download" disabled={rows.value.length === 0} onClick={() => run("ndjson")}>
            NDJSON
          </Button>
          <Button icon="download" disabled={rows.value.length === 0} onClick={() => run("csv")}>
            CSV
          </Button>
        </div>
      )}
    </Menu>
  );
}
