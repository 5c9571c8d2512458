import { useState } from "preact/hooks";
import { counted } from "../figures";
import { useLoaded } from "../load";
import { link, navigate, route } from "../router";
import { Confirm, Field, Loading, TemplateText, toast } from "../ui";
import { changeTemplate, listTemplates, type Template } from "./model";

const OFFERED = 8;
const LOOK_BACK = "-30d";
const MAX_NAME_CHARACTERS = 200;

interface RenameProps {
  template: Template;
  reload: () => Promise<void>;
  onClose: () => void;
}

export function RenameDialog({ template, reload, onClose }: RenameProps) {
  const [name, setName] = useState(template.name ?? "");

  async function rename() {
    await changeTemplate(template.id, { name: name.trim() || null });
    await reload();
    toast(name.trim() ? `It is called ${name.trim()} now.` : "It has no name any more.");
  }

  return (
    <Confirm title="Name this template" action="Save" run={rename} onClose={onClose}>
      <p>
        <TemplateText text={template.text} />
      </p>
      <Field label="Name" hint="In words that people know it by; empty for none.">
        {(attributes) => (
          <input
            {...attributes}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
            maxLength={MAX_NAME_CHARACTERS}
            autocomplete="off"
            autofocus
          />
        )}
      </Field>
    </Confirm>
  );
}

/** Merges `template` into one that is chosen, and goes there. */
export function MergeDialog({ template, onClose }: { template: Template; onClose: () => void }) {
  const [q, setQ] = useState("");
  const [target, setTarget] = useState<number | null>(null);
  const { application } = template;
  const found = useLoaded(
    (signal) => listTemplates({ q: q.trim(), application, since: LOOK_BACK, limit: OFFERED + 1 }, signal),
    [q, application],
  );
  const offered = found.value?.templates.filter(({ id }) => id !== template.id).slice(0, OFFERED) ?? [];

  async function merge() {
    await changeTemplate(template.id, { merged_into: target });
    toast("They count as one now. Its history says how to part them.");
    navigate(link(`templates/${target}`, route.value.query));
  }

  return (
    <Confirm title="Merge into another" action="Merge" disabled={target === null} run={merge} onClose={onClose}>
      <p>
        <TemplateText text={template.text} />
      </p>
      <p class="muted">Both count as the one you choose. Stored logs stay as they are, and it can be undone there.</p>
      <Field label="Find by words">
        {(attributes) => (
          <input
            {...attributes}
            type="search"
            value={q}
            onInput={(event) => setQ(event.currentTarget.value)}
            autofocus
          />
        )}
      </Field>
      <fieldset class="templates-offered">
        <legend>Merge into</legend>
        {found.value ? (
          offered.map(({ id, name, text, count }) => (
            <label key={id}>
              <input type="radio" name="target" checked={target === id} onChange={() => setTarget(id)} />
              <span>
                {name ?? <TemplateText text={text} />} <span class="hint">{counted(count, "log")}</span>
              </span>
            </label>
          ))
        ) : found.problem ? (
          <p class="field-error">{found.problem.detail}</p>
        ) : (
          <Loading what="templates" />
        )}
        {found.value && offered.length === 0 && (
          <p class="muted">No other template of {application} has these words in the last 30 days.</p>
        )}
      </fieldset>
    </Confirm>
  );
}
