import { useRef, useState } from "preact/hooks";
import { asProblem, type Problem } from "../api";
import { counted, figure, span } from "../figures";
import { formatTime, spanTitle } from "../time";
import { Button, TimeChart } from "../ui";
import { zone } from "../zone";
import { ofApplication } from "./applicationchoice";
import { type Backtest, testRule } from "./model";
import { type Draft, ruleOf } from "./rule";

const SPANS = ["-24h", "-7d", "-30d"];
const SHOWN = 12;

interface Tried {
  /** What was tried, as JSON: the form may say something else by now. */
  asked: string;
  since: string;
  backtest: Backtest;
}

/** When the rule in the form would have fired. */
export function Preview({ draft }: { draft: Draft }) {
  const [since, setSince] = useState("-7d");
  const [tried, setTried] = useState<Tried | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const run = useRef<AbortController | null>(null);
  const rule = { ...ruleOf(draft), name: draft.name.trim() || "Preview" };
  const body = { ...ofApplication(draft.application), rule, since };
  const asked = JSON.stringify(body);

  async function tryIt() {
    const control = new AbortController();
    run.current = control;
    setBusy(true);
    setTried(null);
    setProblem(null);
    try {
      await testRule(body, control.signal, (backtest) => setTried({ asked, since, backtest }));
    } catch (error) {
      if (!control.signal.aborted) {
        setProblem(asProblem(error));
      }
    }
    setBusy(false);
  }

  return (
    <section class="card panel alerts-preview" aria-label="Preview">
      <div class="section-head">
        <h2>When would it have fired?</h2>
        <div class="head-tools">
          <select
            class="span-select"
            aria-label="Time to look back"
            value={since}
            onChange={(event) => setSince(event.currentTarget.value)}
          >
            {SPANS.map((each) => (
              <option key={each} value={each}>
                Last {spanTitle(each)}
              </option>
            ))}
          </select>
          {busy ? (
            <Button onClick={() => run.current?.abort()}>Stop</Button>
          ) : (
            <Button icon="play" onClick={tryIt}>
              Try it
            </Button>
          )}
        </div>
      </div>
      {problem && (
        <p class="field-error" role="alert">
          {problem.detail}
        </p>
      )}
      {tried ? (
        <Outcome tried={tried} busy={busy} isOld={tried.asked !== asked} />
      ) : (
        <p class="muted">The rule is tried on the logs that are stored. Nothing is saved, and nobody is told.</p>
      )}
    </section>
  );
}

function Outcome({ tried: { backtest, since }, busy, isOld }: { tried: Tried; busy: boolean; isOld: boolean }) {
  const { would_fire, next_cursor, evaluated_until } = backtest;
  const times = would_fire.length === 1 ? "once" : `${figure(would_fire.length)} times`;
  return (
    <>
      <p class={isOld ? "muted" : ""} role="status">
        <strong>{would_fire.length === 0 ? "Would not have fired" : `Would have fired ${times}`}</strong> in the last{" "}
        {spanTitle(since)}
        {next_cursor && `, as far as ${formatTime(evaluated_until, zone.value)}`}
        {busy ? "…" : "."}
        {isOld && " The form says something else by now: try it again."}
      </p>
      <Timeline backtest={backtest} />
      {would_fire.length > 0 && (
        <ol class="alerts-fired">
          {would_fire.slice(0, SHOWN).map((episode, at) => (
            <li key={at}>
              <Fired episode={episode} />
            </li>
          ))}
        </ol>
      )}
      {would_fire.length > SHOWN && <p class="hint">and {counted(would_fire.length - SHOWN, "other time")}</p>}
    </>
  );
}

/** What was seen in the worst window of each stretch of time. */
function Timeline({ backtest: { timeline, would_fire, evaluated_until } }: { backtest: Backtest }) {
  if (timeline.length < 2) {
    return null;
  }
  const ends = timeline.map(({ until }) => Date.parse(until));
  const stretch = ends[1]! - ends[0]!;
  const starts = [ends[0]! - stretch, ...ends.slice(0, -1)];
  return (
    <TimeChart
      starts={starts.map((start) => new Date(start).toISOString())}
      intervalSeconds={stretch / 1_000}
      bars={[{ token: "--level-info", counts: timeline.map(({ observed }) => observed) }]}
      spans={would_fire.map(({ from, until }) => ({
        from: from ? Date.parse(from) : starts[0]!,
        until: Date.parse(until ?? evaluated_until),
        token: "--danger",
      }))}
    />
  );
}

function Fired({ episode: { from, until, observed, group } }: { episode: Backtest["would_fire"][number] }) {
  const lasted = from && until ? `for ${span((Date.parse(until) - Date.parse(from)) / 1_000)}` : "";
  return (
    <>
      <span>{from ? formatTime(from, zone.value) : "from the beginning"}</span>
      <span class="muted">
        {until ? lasted : "and would still"}
        {observed !== null && `, ${Number(observed.toPrecision(4))} at worst`}
        {Object.entries(group).map(([name, value]) => `, ${name}=${value}`)}
      </span>
    </>
  );
}
