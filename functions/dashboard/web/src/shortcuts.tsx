/** Keyboard shortcuts: components register theirs while they are shown, and `?` lists all. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Dialog } from "./ui";

export interface Shortcut {
  /** `KeyboardEvent.key` of each stroke: ["/"], or ["g", "l"] for one after the other. */
  keys: string[];
  does: string;
  run: () => void;
}

interface Group {
  title: string;
  shortcuts: Shortcut[];
}

const CHORD_MILLISECONDS = 1_000;
const groups = signal<Group[]>([]);
const isShown = signal(false);
let pending: { key: string; at: number } | null = null;

export function showShortcuts(): void {
  isShown.value = true;
}

/** Registers shortcuts for as long as the component is mounted. They rest while one types or a dialog is open. */
export function useShortcuts(title: string, shortcuts: Shortcut[]): void {
  const group = useRef<Group>({ title, shortcuts });
  group.current.shortcuts = shortcuts;
  useEffect(() => {
    const mine = group.current;
    groups.value = [...groups.value, mine];
    return () => {
      groups.value = groups.value.filter((other) => other !== mine);
    };
  }, []);
}

export function ShortcutHelp() {
  if (!isShown.value) {
    return null;
  }
  return (
    <Dialog title="Keyboard shortcuts" onClose={() => (isShown.value = false)}>
      <div class="shortcuts">
        {groups.value.map(({ title, shortcuts }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {shortcuts.map(({ keys, does }) => (
                <div key={keys.join()}>
                  <dt>
                    {keys.map((key) => (
                      <kbd key={key}>{key.replace("Arrow", "")}</kbd>
                    ))}
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) {
    return;
  }
  const first = pending && event.timeStamp - pending.at < CHORD_MILLISECONDS ? pending.key : null;
  pending = null;
  const all = groups.value.flatMap(({ shortcuts }) => shortcuts);
  const strokes = first ? [first, event.key] : [event.key];
  const found = all.findLast(
    ({ keys }) => keys.length === strokes.length && keys.every((key, at) => key === strokes[at]),
  );
  if (found) {
    event.preventDefault();
    found.run();
  } else if (all.some(({ keys }) => keys.length > 1 && keys[0] === event.key)) {
    pending = { key: event.key, at: event.timeStamp };
  }
});

function isTyping(target: EventTarget | null): boolean {
  return (
    document.querySelector("dialog[open]") !== null ||
    (target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select")))
  );
}
