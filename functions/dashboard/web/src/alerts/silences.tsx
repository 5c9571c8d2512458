import { useState } from "preact/hooks";
import { type Loaded, useLoaded } from "../load";
import { canAlert, session } from "../session";
import { useShortcuts } from "../shortcuts";
import { formatTime } from "../time";
import {
  Button,
  type Column,
  Confirm,
  EmptyState,
  ErrorState,
  Field,
  Loading,
  RelativeTime,
  SafeText,
  Table,
  toast,
  toastProblem,
} from "../ui";
import { zone } from "../zone";
import { ApplicationChoice, ofApplication } from "./applicationchoice";
import {
  createSilence,
  createWindow,
  deleteWindow,
  endSilence,
  listSilences,
  listWindows,
  type MaintenanceWindow,
  type Matcher,
  type Silence,
} from "./model";
import { matchersOf, matcherText, shortDay, WEEKDAYS, weeklyText } from "./muting";
import { OnlyWriters } from "./pieces";

export function SilenceLists() {
  const silences = useLoaded(listSilences, []);
  const windows = useLoaded(listWindows, []);
  const [asked, setAsked] = useState<"silence" | "window" | null>(null);
  const close = () => setAsked(null);
  useShortcuts("Silences", [{ keys: ["n"], does: "New silence", run: () => canAlert.value && setAsked("silence") }]);
  return (
    <>
      <section class="card" aria-label="Silences">
        <div class="card-head">
          <h2>Silences</h2>
          <OnlyWriters>
            <Button primary icon="plus" onClick={() => setAsked("silence")}>
              New silence
            </Button>
          </OnlyWriters>
        </div>
        <Listed loaded={silences} what="silences">
          {(found) =>
            found.length > 0 ? (
              <SilenceTable silences={found} reload={silences.reload} />
            ) : (
              <EmptyState title="Nothing is silenced">
                A silence keeps messages from being sent for some time. Incidents are shown here all the same.
              </EmptyState>
            )
          }
        </Listed>
      </section>
      <section class="card" aria-label="Maintenance windows">
        <div class="card-head">
          <h2>Maintenance windows</h2>
          {canAlert.value && (
            <Button icon="plus" onClick={() => setAsked("window")}>
              New window
            </Button>
          )}
        </div>
        <Listed loaded={windows} what="maintenance windows">
          {(found) =>
            found.length > 0 ? (
              <WindowTable windows={found} reload={windows.reload} />
            ) : (
              <EmptyState title="No maintenance is planned">
                During a window, once or each week, nobody is told of what fires.
              </EmptyState>
            )
          }
        </Listed>
      </section>
      {asked === "silence" && <SilenceDialog reload={silences.reload} onClose={close} />}
      {asked === "window" && <WindowDialog reload={windows.reload} onClose={close} />}
    </>
  );
}

interface ListedProps<Value> {
  loaded: Loaded<Value>;
  what: string;
  children: (value: Value) => preact.ComponentChildren;
}

function Listed<Value>({ loaded: { value, problem, reload }, what, children }: ListedProps<Value>) {
  return (
    <>
      {value ? children(value) : problem ? <ErrorState problem={problem} onRetry={reload} /> : <Loading what={what} />}
    </>
  );
}

function Matchers({ matchers, comment }: { matchers: Matcher[]; comment: string }) {
  return (
    <div class="two-lines">
      <span>
        {matchers.length === 0
          ? "everything"
          : matchers.map((matcher, at) => (
              <code key={at} class="alerts-matcher">
                <SafeText text={matcherText(matcher)} />
              </code>
            ))}
      </span>
      <span class="muted">
        <SafeText text={comment} />
      </span>
    </div>
  );
}

interface TableProps {
  reload: () => Promise<void>;
}

const KINDS = { active: "caution", pending: "", expired: "" };

function SilenceTable({ silences, reload }: TableProps & { silences: Silence[] }) {
  async function end(id: string) {
    try {
      await endSilence(id);
      await reload();
      toast("It is heard of again.");
    } catch (error) {
      toastProblem(error);
    }
  }

  const columns: Column<Silence>[] = [
    { title: "What", wraps: true, cell: ({ matchers, comment }) => <Matchers matchers={matchers} comment={comment} /> },
    { title: "Status", cell: ({ status }) => <span class={`badge ${KINDS[status]}`}>{status}</span> },
    { title: "Application", wideOnly: true, cell: ({ application }) => application },
    { title: "Begins", wideOnly: true, cell: ({ starts_at }) => <RelativeTime at={starts_at} /> },
    { title: "Ends", cell: ({ ends_at }) => <RelativeTime at={ends_at} /> },
  ];
  if (canAlert.value) {
    columns.push({
      title: "Actions",
      head: null,
      cell: ({ id, status }) =>
        status !== "expired" && (
          <div class="row-actions">
            <Button onClick={() => end(id)}>End now</Button>
          </div>
        ),
    });
  }
  return <Table caption="Silences" rows={silences} rowKey={({ id }) => id} columns={columns} />;
}

function WindowTable({ windows, reload }: TableProps & { windows: MaintenanceWindow[] }) {
  async function forget(id: string) {
    try {
      await deleteWindow(id);
      await reload();
      toast("The maintenance window is deleted.");
    } catch (error) {
      toastProblem(error);
    }
  }

  const columns: Column<MaintenanceWindow>[] = [
    { title: "What", wraps: true, cell: ({ matchers, comment }) => <Matchers matchers={matchers} comment={comment} /> },
    { title: "When", cell: (window) => whenText(window) },
    { title: "Application", wideOnly: true, cell: ({ application }) => application },
  ];
  if (canAlert.value) {
    columns.push({
      title: "Actions",
      head: null,
      cell: ({ id }) => (
        <div class="row-actions">
          <Button onClick={() => forget(id)}>Delete</Button>
        </div>
      ),
    });
  }
  return <Table caption="Maintenance windows" rows={windows} rowKey={({ id }) => id} columns={columns} />;
}

function whenText({ weekly, starts_at, ends_at }: MaintenanceWindow): string {
  if (weekly) {
    return weeklyText(weekly);
  }
  return [starts_at, ends_at].map((at) => (at ? formatTime(at, zone.value).slice(0, 16) : "")).join(" – ");
}

const SPANS: [string, number][] = [
  ["1 hour", 1],
  ["4 hours", 4],
  ["1 day", 24],
  ["1 week", 168],
];
const HOUR = 3_600_000;

interface DialogProps {
  /** Lines to begin with. */
  matchers?: string;
  application?: string;
  reload: () => Promise<void>;
  onClose: () => void;
}

export function SilenceDialog({ matchers = "", application, reload, onClose }: DialogProps) {
  const [whose, setWhose] = useState(application ?? session.value?.application ?? "");
  const [lines, setLines] = useState(matchers);
  const [hours, setHours] = useState(1);
  const [comment, setComment] = useState("");

  async function create() {
    await createSilence({
      ...ofApplication(whose),
      matchers: matchersOf(lines),
      ends_at: new Date(Date.now() + hours * HOUR).toISOString(),
      comment: comment.trim(),
    });
    await reload();
    toast("It is silenced: nobody is told until it ends.");
  }

  return (
    <Confirm title="New silence" action="Silence" run={create} onClose={onClose}>
      <ApplicationChoice application={whose} choose={setWhose} />
      <MatcherField lines={lines} setLines={setLines} />
      <Field label="For">
        {(attributes) => (
          <select {...attributes} value={hours} onChange={(event) => setHours(Number(event.currentTarget.value))}>
            {SPANS.map(([title, value]) => (
              <option key={value} value={value}>
                {title}
              </option>
            ))}
          </select>
        )}
      </Field>
      <CommentField comment={comment} setComment={setComment} />
    </Confirm>
  );
}

function MatcherField({ lines, setLines }: { lines: string; setLines: (lines: string) => void }) {
  return (
    <Field
      label="What"
      hint="One condition in each line, all of which must hold: rule=Payments fail, severity!=critical, host=~web-.*"
    >
      {(attributes) => (
        <textarea
          {...attributes}
          rows={2}
          value={lines}
          spellcheck={false}
          onInput={(event) => setLines(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

function CommentField({ comment, setComment }: { comment: string; setComment: (comment: string) => void }) {
  return (
    <Field label="Why">
      {(attributes) => (
        <input
          {...attributes}
          value={comment}
          maxLength={1_000}
          autocomplete="off"
          onInput={(event) => setComment(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

function WindowDialog({ reload, onClose }: DialogProps) {
  const [whose, setWhose] = useState(session.value?.application ?? "");
  const [lines, setLines] = useState("");
  const [comment, setComment] = useState("");
  const [isWeekly, setWeekly] = useState(true);
  const [days, setDays] = useState<string[]>(["sunday"]);
  const [start, setStart] = useState("02:00");
  const [from, setFrom] = useState("");
  const [minutes, setMinutes] = useState("60");

  async function create() {
    await createWindow({
      ...ofApplication(whose),
      matchers: matchersOf(lines),
      comment: comment.trim(),
      ...(isWeekly ? { weekly: weekly() } : once()),
    });
    await reload();
    toast("The maintenance window is planned.");
  }

  const weekly = () => ({
    weekdays: days,
    start,
    duration_minutes: Number(minutes) || minutes,
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });

  /** Of a start that is none, the API says so. */
  function once() {
    const begin = new Date(from).getTime();
    return Number.isNaN(begin)
      ? { starts_at: from, ends_at: from }
      : {
          starts_at: new Date(begin).toISOString(),
          ends_at: new Date(begin + Number(minutes) * 60_000).toISOString(),
        };
  }

  return (
    <Confirm title="New maintenance window" action="Plan it" run={create} onClose={onClose}>
      <ApplicationChoice application={whose} choose={setWhose} />
      <Field label="When">
        {(attributes) => (
          <select
            {...attributes}
            value={isWeekly ? "weekly" : "once"}
            onChange={(event) => setWeekly(event.currentTarget.value === "weekly")}
          >
            <option value="weekly">Each week</option>
            <option value="once">Once</option>
          </select>
        )}
      </Field>
      {isWeekly && (
        <fieldset class="alerts-days">
          <legend>On</legend>
          {WEEKDAYS.map((day) => (
            <label key={day}>
              <input
                type="checkbox"
                checked={days.includes(day)}
                onChange={(event) =>
                  setDays(WEEKDAYS.filter((each) => (each === day ? event.currentTarget.checked : days.includes(each))))
                }
              />
              {shortDay(day)}
            </label>
          ))}
        </fieldset>
      )}
      <div class="alerts-row">
        <Field label="From" hint={isWeekly ? Intl.DateTimeFormat().resolvedOptions().timeZone : "your local time"}>
          {(attributes) =>
            isWeekly ? (
              <input
                {...attributes}
                type="time"
                value={start}
                onInput={(event) => setStart(event.currentTarget.value)}
              />
            ) : (
              <input
                {...attributes}
                type="datetime-local"
                value={from}
                onInput={(event) => setFrom(event.currentTarget.value)}
              />
            )
          }
        </Field>
        <Field label="For" hint="minutes">
          {(attributes) => (
            <input
              {...attributes}
              inputMode="numeric"
              value={minutes}
              onInput={(event) => setMinutes(event.currentTarget.value)}
            />
          )}
        </Field>
      </div>
      <MatcherField lines={lines} setLines={setLines} />
      <p class="hint">Without a condition it is for everything.</p>
      <CommentField comment={comment} setComment={setComment} />
    </Confirm>
  );
}
