import { counted, figure } from "../figures";
import type { Loaded } from "../load";
import { link } from "../router";
import type { Template, Templates } from "../templates/model";
import { EmptyState, ErrorState, Levels, Loading, RelativeTime, TemplateText } from "../ui";

const SHOWN = 6;

/** What the logs say since yesterday that they never said before. */
export function NewTemplates({ templates }: { templates: Loaded<Templates> }) {
  const { value, problem, reload } = templates;
  const found = value?.templates.filter(({ first_seen }) => Date.parse(first_seen) >= Date.parse(value.since)) ?? [];
  return (
    <section class="card" aria-label="New templates">
      <div class="card-head">
        <h2>New in the last day</h2>
        <a href={link("templates", { order: "first_seen" })}>All by age</a>
      </div>
      {value ? (
        found.length === 0 ? (
          <EmptyState icon="check" title="No new kind of message">
            All logs of the last day fit templates that were there before.
          </EmptyState>
        ) : (
          <>
            <ul class="home-new">
              {severestFirst(found)
                .slice(0, SHOWN)
                .map((template) => (
                  <li key={template.id}>
                    <a href={link(`templates/${template.id}`)}>
                      {template.name ?? <TemplateText text={template.text} />}
                    </a>
                    <p class="badges">
                      <Levels counts={template.levels} />
                      <span class="hint">
                        {counted(template.count, "log")} of {template.application}, first{" "}
                        <RelativeTime at={template.first_seen} />
                      </span>
                    </p>
                  </li>
                ))}
            </ul>
            {found.length > SHOWN && (
              <p class="home-more hint">
                <a href={link("templates", { order: "first_seen" })}>{figure(found.length - SHOWN)} more</a>
                {found.length === value.templates.length && ": all are new, as of an application that has just begun"}
              </p>
            )}
          </>
        )
      ) : problem ? (
        <ErrorState problem={problem} onRetry={reload} />
      ) : (
        <Loading what="new templates" lines={6} />
      )}
    </section>
  );
}

const SEVERE = ["CRITICAL", "ERROR", "WARNING"];

/** Errors before what is only new; of the same kind, the newest first, as they come. */
function severestFirst<One extends Template>(templates: One[]): One[] {
  const rank = ({ levels }: One) => {
    const at = SEVERE.findIndex((level) => levels[level]);
    return at < 0 ? SEVERE.length : at;
  };
  return templates.toSorted((one, other) => rank(one) - rank(other));
}
