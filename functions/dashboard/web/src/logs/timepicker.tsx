import { useEffect, useState } from "preact/hooks";
import {
  formatTime,
  isRelative,
  moved,
  QUICK_RANGES,
  rangeTitle,
  readTime,
  resolve,
  spanTitle,
  type Zone,
  zoneTitle,
} from "../time";
import { Button, Field } from "../ui";
import { chooseZone, zone } from "../zone";
import { Menu } from "./menu";
import { ask, view } from "./view";

export function TimePicker() {
  const [isOpen, setOpen] = useState(false);
  const { since, until } = view.value;
  const later = moved(view.value, 1, Date.now());
  const earlier = moved(view.value, -1, Date.now());
  const choose = (range: { since: string; until: string }) => {
    setOpen(false);
    ask(range);
  };
  return (
    <div class="logs-time-picker">
      <Button quiet icon="earlier" label="Earlier" onClick={() => earlier && choose(earlier)} />
      <Menu
        title={rangeTitle({ since, until }, zone.value)}
        icon="clock"
        label={`Time range: ${rangeTitle({ since, until }, zone.value)}, ${zoneTitle(zone.value)}`}
        align="right"
        isOpen={isOpen}
        onToggle={setOpen}
      >
        <Panel onChoose={choose} />
      </Menu>
      <Button quiet icon="later" label="Later" disabled={later === null} onClick={() => later && choose(later)} />
    </div>
  );
}

function Panel({ onChoose }: { onChoose: (range: { since: string; until: string }) => void }) {
  const { since, until } = view.value;
  return (
    <div class="logs-time-panel">
      <fieldset class="logs-quick">
        <legend>Quick ranges</legend>
        {QUICK_RANGES.map((quick) => (
          <button
            type="button"
            key={quick}
            class="logs-choice"
            aria-pressed={since === quick && until === ""}
            data-first={since === quick && until === "" ? true : undefined}
            onClick={() => onChoose({ since: quick, until: "" })}
          >
            Last {spanTitle(quick)}
          </button>
        ))}
      </fieldset>
      <Absolute onChoose={onChoose} />
    </div>
  );
}

function Absolute({ onChoose }: { onChoose: (range: { since: string; until: string }) => void }) {
  const shown = (end: string) => (end === "" ? "now" : isRelative(end) ? end : formatTime(end, zone.value));
  const [from, setFrom] = useState(shown(view.value.since));
  const [to, setTo] = useState(shown(view.value.until));
  const [error, setError] = useState<{ from?: string; to?: string }>({});
  useEffect(() => {
    setFrom(shown(view.value.since));
    setTo(shown(view.value.until));
  }, [zone.value]);

  function apply(event: Event) {
    event.preventDefault();
    const [since, until] = [readTime(from, zone.value), readTime(to, zone.value)];
    const wrong = "Not a time: try 2026-11-24 12:00, or -2h";
    const now = Date.now();
    if (since === null || since === "") {
      setError({ from: wrong });
    } else if (until === null) {
      setError({ to: wrong });
    } else if (resolve(since, now)! >= resolve(until, now)!) {
      setError({ to: "The end must be after the start" });
    } else {
      onChoose({ since, until });
    }
  }

  return (
    <form class="logs-absolute" onSubmit={apply}>
      <ZoneChoice />
      <Field label="From" error={error.from}>
        {(attributes) => <input {...attributes} value={from} onInput={(event) => setFrom(event.currentTarget.value)} />}
      </Field>
      <Field label="To" error={error.to} hint="2026-11-24 12:00:00, -2h, now">
        {(attributes) => <input {...attributes} value={to} onInput={(event) => setTo(event.currentTarget.value)} />}
      </Field>
      <Button primary type="submit">
        Apply
      </Button>
    </form>
  );
}

function ZoneChoice() {
  const zones: [Zone, string][] = [
    ["local", `Local (${zoneTitle("local")})`],
    ["utc", "UTC"],
  ];
  return (
    <fieldset class="logs-zones">
      <legend>Times are shown in</legend>
      {zones.map(([value, title]) => (
        <label key={value}>
          <input type="radio" name="zone" checked={zone.value === value} onChange={() => chooseZone(value)} /> {title}
        </label>
      ))}
    </fieldset>
  );
}
