import { figure } from "../figures";
import { type Level, levelClass } from "../levels";
import { BLOCK_CHARACTERS, firstLine, shortText } from "../text";
import { clockTime, formatTime } from "../time";
import { zone } from "../zone";
import { Detail } from "./detail";
import { columnValue, LEVEL_TAGS, type Log } from "./model";
import { LogText } from "./pieces";

interface Props {
  log: Log;
  columns: string[];
  wraps: boolean;
  withDay: boolean;
  isOpen: boolean;
  isCurrent: boolean;
  /** Whether the Tab key leads here. */
  isTabStop: boolean;
  /** Position in the list, counted from 0. */
  at: number;
  onToggle: () => void;
}

export function Row(props: Props) {
  const { log, columns, wraps, isOpen } = props;
  return (
    <div
      class={`logs-row ${levelClass(log.level)} ${isOpen ? "is-open" : ""} ${props.isCurrent ? "is-current" : ""}`}
      role="row"
      aria-rowindex={props.at + 2}
      data-log={log.id}
    >
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a larger target for the button within */}
      <div
        class={`logs-line ${wraps ? "is-wrapped" : ""}`}
        role="presentation"
        onClick={(event) => isPlainClick(event) && props.onToggle()}
      >
        <span class="logs-cell logs-time" role="cell">
          <button
            type="button"
            class="logs-row-toggle"
            aria-expanded={isOpen}
            title={`${formatTime(log.timestamp, "utc")} UTC`}
            tabIndex={props.isTabStop ? 0 : -1}
            data-row={props.at}
          >
            {clockTime(log.timestamp, zone.value, props.withDay)}
          </button>
        </span>
        <span class="logs-cell" role="cell">
          <LevelMark level={log.level} />
        </span>
        <span class="logs-cell logs-application" role="cell" title={log.application}>
          <LogText text={log.application} marks={[]} />
        </span>
        {columns.map((column) => (
          <span class="logs-cell logs-extra" role="cell" key={column}>
            <LogText text={firstLine(shortText(columnValue(log, column))).text} marks={[]} />
          </span>
        ))}
        <Message log={log} wraps={wraps} />
      </div>
      {isOpen && (
        <div class="detail-cell" role="cell" aria-colspan={columns.length + 4}>
          <Detail log={log} />
        </div>
      )}
    </div>
  );
}

/** The word says what the colour says. */
export function LevelMark({ level }: { level: Level }) {
  return (
    <span class={`logs-level ${levelClass(level)}`} title={level.toLowerCase()}>
      <span aria-hidden="true">{LEVEL_TAGS[level]}</span>
      <span class="visually-hidden">{level.toLowerCase()}</span>
    </span>
  );
}

function Message({ log, wraps }: { log: Log; wraps: boolean }) {
  const line = firstLine(log.message);
  const text = wraps ? log.message.slice(0, BLOCK_CHARACTERS / 10) : line.text;
  return (
    <span class="logs-cell logs-message" role="cell">
      {text ? <LogText text={text} /> : <i class="muted">(no message)</i>}
      {(wraps ? text.length < log.message.length : line.isCut) && (
        <span class="logs-cut">… {figure(log.message.length)} characters</span>
      )}
    </span>
  );
}

/** Not while somebody selects text. */
function isPlainClick(event: MouseEvent): boolean {
  return (getSelection()?.isCollapsed ?? true) || event.detail === 0;
}
