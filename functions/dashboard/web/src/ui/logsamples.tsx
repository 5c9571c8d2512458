import { levelClass } from "../levels";
import { link } from "../router";
import { formatTime } from "../time";
import { zone } from "../zone";
import { SafeText } from "./safetext";

interface Sample {
  id: string;
  timestamp: string;
  level: string;
  message: string;
}

/** Some logs; each leads to its record. */
export function LogSamples({ logs }: { logs: Sample[] }) {
  return (
    <ul class="samples">
      {logs.map(({ id, timestamp, level, message }) => (
        <li key={id} class={levelClass(level)}>
          <a href={link("logs", { log: id, since: timestamp })} title="Show this log">
            {formatTime(timestamp, zone.value)}
          </a>{" "}
          <span class="samples-level">{level.toLowerCase()}</span> <SafeText text={message} />
        </li>
      ))}
    </ul>
  );
}
