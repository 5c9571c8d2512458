import { useEffect, useState } from "preact/hooks";
import { counted } from "../figures";
import { useLoaded } from "../load";
import { link, navigate, route } from "../router";
import {
  Button,
  Confirm,
  Dialog,
  EmptyState,
  ErrorState,
  Loading,
  RelativeTime,
  Table,
  toast,
  toastProblem,
} from "../ui";
import { type DeadLetter, drop, listDeadLetters, redrive, showDeadLetter } from "./model";

const STATUSES = ["open", "redriven", "dropped"] as const;

export function DeadLetters() {
  const { query } = route.value;
  const conditions = {
    status: query.get("status") ?? "open",
    application: query.get("application") ?? "",
    reason: query.get("reason") ?? "",
  };
  const { status, application, reason } = conditions;
  const first = useLoaded((signal) => listDeadLetters({ ...conditions }, signal), [status, application, reason]);
  const [more, setMore] = useState<{ letters: DeadLetter[]; before: number | null } | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<number>>(new Set());
  const [asked, setAsked] = useState<"redrive" | "drop" | null>(null);
  const [shown, setShown] = useState<number | null>(null);
  useEffect(() => {
    setMore(null);
    setSelected(new Set());
  }, [first.value]);
  const letters = [...(first.value?.dead_letters ?? []), ...(more?.letters ?? [])];
  const before = more ? more.before : (first.value?.next_before ?? null);

  async function loadMore() {
    try {
      const page = await listDeadLetters({ ...conditions, before });
      setMore({ letters: [...(more?.letters ?? []), ...page.dead_letters], before: page.next_before });
    } catch (error) {
      toastProblem(error);
    }
  }

  return (
    <section class="card" aria-label="Dead letters">
      <div class="card-head">
        <h2>Dead letters</h2>
        {selected.size > 0 && (
          <div class="row-actions">
            <Button primary onClick={() => setAsked("redrive")}>
              Redrive {selected.size}
            </Button>
            <Button onClick={() => setAsked("drop")}>Drop {selected.size}</Button>
          </div>
        )}
      </div>
      <Filters {...conditions} />
      {first.value ? (
        letters.length > 0 ? (
          <Letters letters={letters} selected={selected} onSelect={setSelected} onShow={setShown} />
        ) : (
          <Nothing isFiltered={Boolean(application || reason)} status={status} />
        )
      ) : first.problem ? (
        <ErrorState problem={first.problem} onRetry={first.reload} />
      ) : (
        <Loading what="dead letters" />
      )}
      {before !== null && (
        <div class="more">
          <Button onClick={loadMore}>Older ones</Button>
        </div>
      )}
      {asked && <Act what={asked} ids={[...selected]} reload={first.reload} onClose={() => setAsked(null)} />}
      {shown !== null && <LetterDialog id={shown} onClose={() => setShown(null)} />}
    </section>
  );
}

function Filters(conditions: { status: string; application: string; reason: string }) {
  const change = (name: string) => (event: { currentTarget: { value: string } }) =>
    navigate(link("pipeline", { ...conditions, [name]: event.currentTarget.value.trim() }), { replace: true });
  return (
    <div class="pipeline-filters">
      <select aria-label="Status" value={conditions.status} onChange={change("status")}>
        {STATUSES.map((status) => (
          <option key={status}>{status}</option>
        ))}
      </select>
      {(["application", "reason"] as const).map((name) => (
        <input
          key={name}
          type="search"
          aria-label={`By ${name}`}
          placeholder={`any ${name}`}
          value={conditions[name]}
          onChange={change(name)}
        />
      ))}
    </div>
  );
}

function Nothing({ isFiltered, status }: { isFiltered: boolean; status: string }) {
  return isFiltered ? (
    <EmptyState icon="search" title="No dead letter is like this" action={<a href={link("pipeline")}>Show all</a>} />
  ) : (
    <EmptyState icon="check" title={status === "open" ? "No dead letters" : `None was ${status}`}>
      {status === "open" && "What cannot be stored comes here, alone, with the reason."}
    </EmptyState>
  );
}

interface LettersProps {
  letters: DeadLetter[];
  selected: ReadonlySet<number>;
  onSelect: (selected: ReadonlySet<number>) => void;
  onShow: (id: number) => void;
}

function Letters({ letters, selected, onSelect, onShow }: LettersProps) {
  const toggle = (id: number) =>
    onSelect(new Set(selected.has(id) ? [...selected].filter((other) => other !== id) : [...selected, id]));
  const open = letters.filter(({ status }) => status === "open");
  return (
    <Table
      caption="Dead letters"
      rows={letters}
      rowKey={({ id }) => id}
      columns={[
        {
          title: "Chosen",
          head: open.length > 0 && (
            <input
              type="checkbox"
              aria-label={`All ${open.length} shown`}
              checked={selected.size === open.length}
              onChange={() => onSelect(new Set(selected.size === open.length ? [] : open.map(({ id }) => id)))}
            />
          ),
          cell: ({ id, status }) =>
            status === "open" && (
              <input
                type="checkbox"
                aria-label={`Dead letter ${id}`}
                checked={selected.has(id)}
                onChange={() => toggle(id)}
              />
            ),
        },
        {
          title: "Reason",
          cell: ({ id, reason, detail }) => (
            <div class="two-lines">
              <button type="button" class="as-link" onClick={() => onShow(id)}>
                {reason}
              </button>
              <span class="clip muted">{detail}</span>
            </div>
          ),
        },
        { title: "Application", cell: ({ application }) => application ?? <span class="muted">unknown</span> },
        { title: "What", cell: ({ position }) => (position === null ? "a whole batch" : "one log") },
        { title: "Attempts", numeric: true, cell: ({ attempts }) => attempts },
        { title: "Since", cell: ({ dead_lettered_at }) => <RelativeTime at={dead_lettered_at} /> },
      ]}
    />
  );
}

interface ActProps {
  what: "redrive" | "drop";
  ids: number[];
  reload: () => Promise<void>;
  onClose: () => void;
}

function Act({ what, ids, reload, onClose }: ActProps) {
  const letters = counted(ids.length, "dead letter");

  async function act() {
    if (what === "redrive") {
      const { redriven, failed } = await redrive(ids);
      toast(
        failed
          ? `${redriven} stored; ${failed} still cannot be, and stay open.`
          : `${counted(redriven, "dead letter")} stored.`,
        failed ? "error" : "done",
      );
    } else {
      const { dropped } = await drop(ids);
      toast(`${counted(dropped, "dead letter")} dropped.`);
    }
    await reload();
  }

  return what === "redrive" ? (
    <Confirm title={`Redrive ${letters}?`} action="Redrive" run={act} onClose={onClose}>
      <p>Each is repaired and stored, exactly once. What still cannot be stored stays open with the reason.</p>
    </Confirm>
  ) : (
    <Confirm title={`Drop ${letters}?`} action="Drop" danger run={act} onClose={onClose}>
      <p>They are closed without being stored. The ledger goes on counting them as dead letters.</p>
    </Confirm>
  );
}

function LetterDialog({ id, onClose }: { id: number; onClose: () => void }) {
  const letter = useLoaded((signal) => showDeadLetter(id, signal), [id]);
  const { value } = letter;
  return (
    <Dialog title={`Dead letter ${id}`} onClose={onClose}>
      {value ? (
        <>
          <dl class="facts">
            <dt>Reason</dt>
            <dd>{value.reason}</dd>
            <dt>Detail</dt>
            <dd>{value.detail}</dd>
            <dt>Application</dt>
            <dd>{value.application ?? "unknown"}</dd>
            <dt>Batch</dt>
            <dd>
              <code>{value.batch_id ?? "unknown"}</code>
              {value.position !== null && `, log ${value.position}`}
            </dd>
            <dt>Attempts</dt>
            <dd>{value.attempts}</dd>
            <dt>Status</dt>
            <dd>{value.status}</dd>
          </dl>
          <h3>What was queued</h3>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll it */}
          <pre class="pipeline-queued" tabIndex={0}>
            {value.queued}
          </pre>
        </>
      ) : letter.problem ? (
        <ErrorState problem={letter.problem} onRetry={letter.reload} />
      ) : (
        <Loading what="the dead letter" />
      )}
    </Dialog>
  );
}
