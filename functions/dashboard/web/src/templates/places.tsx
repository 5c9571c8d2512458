import { counted, figure, percentage } from "../figures";
import { written } from "../logs/language";
import { link } from "../router";
import { SafeText, shownSince } from "../ui";
import type { Place, TemplateDetail } from "./model";

const SHOWN = 6;

interface Props {
  text: string;
  id: number;
  parameters: TemplateDetail["parameters"];
}

/** What stands in each place of a template, over its latest logs. */
export function Places({ text, id, parameters: { sampled, places } }: Props) {
  if (places.length === 0) {
    return text.includes("<*>") ? null : <p class="hint">Nothing varies in this message.</p>;
  }
  return (
    <section class="card panel" aria-label="Values">
      <div class="section-head">
        <h2>What stands in its places</h2>
        <span class="hint">in the latest {counted(sampled, "log")}</span>
      </div>
      <ol class="templates-places">
        {places.map((place, at) => (
          <li key={at}>
            <h3>
              <span class="template-place" aria-hidden="true">
                {at + 1}
              </span>{" "}
              <span class="visually-hidden">Value {at + 1}: </span>
              {counted(place.distinct, "value")}
            </h3>
            {place.number && <Bounds number={place.number} />}
            {isUnique(place, sampled) ? <Unique place={place} /> : <Top place={place} sampled={sampled} id={id} />}
          </li>
        ))}
      </ol>
    </section>
  );
}

const isUnique = ({ distinct, top }: Place, sampled: number) =>
  distinct > 1 && distinct > sampled / 2 && top[0]?.count === 1;

function Bounds({ number: { least, mean, most } }: { number: NonNullable<Place["number"]> }) {
  return least === most ? null : (
    <p class="hint">
      {rounded(least)} to {rounded(most)}, {rounded(mean)} on average
    </p>
  );
}

const rounded = (number: number) => figure(Number(number.toPrecision(4)));

function Unique({ place: { top } }: { place: Place }) {
  return (
    <p class="templates-unique">
      <span class="muted">all different, such as</span>{" "}
      {top.slice(0, 3).map(({ value }) => (
        <code key={value}>
          <SafeText text={value} />
        </code>
      ))}
    </p>
  );
}

function Top({ place: { top, distinct }, sampled, id }: { place: Place; sampled: number; id: number }) {
  const shown = top.slice(0, SHOWN);
  const rest = sampled - shown.reduce((sum, { count }) => sum + count, 0);
  return (
    <ul class="templates-values">
      {shown.map(({ value, count }) => (
        <li key={value}>
          <a
            href={link("logs", { q: `template:${id} ${written(value)}`, since: shownSince() })}
            title={`Logs with ${value}`}
          >
            <SafeText text={value || "(empty)"} />
          </a>
          <span class="templates-bar" aria-hidden="true">
            <span style={{ width: `${(count / sampled) * 100}%` }} />
          </span>
          <span class="numeric muted">{percentage(count / sampled)}</span>
        </li>
      ))}
      {rest > 0 && (
        <li class="hint">
          {counted(distinct - shown.length, "other value")} in {counted(rest, "log")}
        </li>
      )}
    </ul>
  );
}
