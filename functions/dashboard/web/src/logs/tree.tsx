/** Any JSON value as a tree that folds, its leaves to filter by. */
import { useState } from "preact/hooks";
import { shortText } from "../text";
import { FilterButtons } from "./detail";
import { LogText } from "./pieces";

const OPEN_DEPTH = 2;
const MANY = 100;
const LONG = 2_000;

export function Tree({ value }: { value: unknown }) {
  return typeof value === "object" && value !== null ? (
    <Members value={value} path={[]} />
  ) : (
    <pre class="logs-full">
      <LogText text={shortText(value)} marks={[]} />
    </pre>
  );
}

/** `path`: the keys that lead here; null within an array, where no filter reaches. */
function Members({ value, path }: { value: object; path: string[] | null }) {
  const [shown, setShown] = useState(MANY);
  const entries = Object.entries(value);
  return (
    <ul class="logs-tree">
      {entries.slice(0, shown).map(([key, member]) => (
        <Member
          key={key}
          name={key}
          value={member}
          path={path && !Array.isArray(value) ? [...path, key] : null}
          depth={path?.length ?? OPEN_DEPTH}
        />
      ))}
      {entries.length > shown && (
        <li>
          <button type="button" class="as-link" onClick={() => setShown(entries.length)}>
            {entries.length - shown} more
          </button>
        </li>
      )}
    </ul>
  );
}

interface Props {
  name: string;
  value: unknown;
  path: string[] | null;
  depth: number;
}

function Member({ name, value, path, depth }: Props) {
  if (typeof value === "object" && value !== null && Object.keys(value).length > 0) {
    return <Branch name={name} value={value} path={path} depth={depth} />;
  }
  const text = shortText(value);
  return (
    <li class="logs-leaf">
      <span class="logs-key">
        <LogText text={name} marks={[]} />
      </span>
      <LeafText text={text} type={value === null ? "null" : typeof value} />
      {path && typeof value !== "object" && text.length < 500 && (
        <FilterButtons field={`metadata.${path.join(".")}`} value={text} />
      )}
    </li>
  );
}

function Branch({ name, value, path, depth }: Props & { value: object }) {
  const [isOpen, setOpen] = useState(depth < OPEN_DEPTH);
  const size = Object.keys(value).length;
  return (
    <li>
      <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <span class="logs-key">
            <LogText text={name} marks={[]} />
          </span>
          <span class="muted">{Array.isArray(value) ? `[${size}]` : `{${size}}`}</span>
        </summary>
        {isOpen && <Members value={value} path={path} />}
      </details>
    </li>
  );
}

function LeafText({ text, type }: { text: string; type: string }) {
  const [isWhole, setWhole] = useState(text.length <= LONG);
  return (
    <span class={`logs-leaf-text logs-leaf-${type}`}>
      <LogText text={isWhole ? text : text.slice(0, LONG)} marks={[]} />
      {!isWhole && (
        <button type="button" class="as-link" onClick={() => setWhole(true)}>
          … show all
        </button>
      )}
    </span>
  );
}
