import { useState } from "preact/hooks";
import { bytes, figure } from "../figures";
import { useLoaded } from "../load";
import { link, navigate } from "../router";
import { useShortcuts } from "../shortcuts";
import { Button, Confirm, EmptyState, ErrorState, Field, Loading, Meter, RelativeTime, Table, toast } from "../ui";
import { type Application, createApplication, listApplications, readUsage, type Usage } from "./model";
import { StatusBadge } from "./pieces";

export function ApplicationList() {
  const applications = useLoaded(listApplications, []);
  const usage = useLoaded(readUsage, []);
  const [isCreating, setCreating] = useState(false);
  const [filter, setFilter] = useState("");
  useShortcuts("Applications", [{ keys: ["n"], does: "New application", run: () => setCreating(true) }]);
  const shown = (applications.value ?? []).filter(({ name }) => name.includes(filter.trim().toLowerCase()));
  return (
    <div class="page">
      <div class="page-head">
        <h1>Applications</h1>
        <div class="head-tools">
          <input
            type="search"
            placeholder="Find by name"
            aria-label="Find by name"
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
          <Button primary icon="plus" onClick={() => setCreating(true)}>
            New application
          </Button>
        </div>
      </div>
      <div class="card">
        {applications.value ? (
          shown.length > 0 ? (
            <Applications applications={shown} usage={usage.value} />
          ) : (
            <NothingFound hasAny={applications.value.length > 0} />
          )
        ) : applications.problem ? (
          <ErrorState problem={applications.problem} onRetry={applications.reload} />
        ) : (
          <Loading what="applications" />
        )}
      </div>
      {isCreating && <CreateDialog onClose={() => setCreating(false)} />}
    </div>
  );
}

function NothingFound({ hasAny }: { hasAny: boolean }) {
  return hasAny ? (
    <EmptyState icon="search" title="No application has this in its name" />
  ) : (
    <EmptyState icon="key" title="No applications yet">
      An application is who sends logs. Create one, then a key for it.
    </EmptyState>
  );
}

function Applications({ applications, usage }: { applications: Application[]; usage: Map<string, Usage> | undefined }) {
  return (
    <Table
      caption="Applications"
      rows={applications}
      rowKey={({ name }) => name}
      columns={[
        { title: "Name", cell: ({ name }) => <a href={link(`applications/${name}`)}>{name}</a> },
        { title: "Status", cell: ({ status }) => <StatusBadge status={status} /> },
        { title: "Sent today", cell: ({ name }) => <Today usage={usage?.get(name)} /> },
        { title: "Live keys", numeric: true, cell: ({ key_count }) => figure(key_count) },
        { title: "Created", wideOnly: true, cell: ({ created_at }) => <RelativeTime at={created_at} /> },
      ]}
    />
  );
}

function Today({ usage }: { usage: Usage | undefined }) {
  return usage ? (
    <Meter
      label={`${usage.application}, bytes today`}
      value={usage.bytes_today}
      limit={usage.limits.bytes_per_day}
      text={bytes(usage.bytes_today)}
    />
  ) : (
    <div class="meter">
      <div class="meter-bar" />
      <span class="meter-text">–</span>
    </div>
  );
}

function CreateDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");

  async function create() {
    await createApplication(name);
    toast(`${name} was created. It needs a key to send logs.`);
    navigate(link(`applications/${name}`));
  }

  return (
    <Confirm title="New application" action="Create" run={create} onClose={onClose}>
      <NameField name={name} onInput={setName} />
    </Confirm>
  );
}

export function NameField({ name, onInput }: { name: string; onInput: (name: string) => void }) {
  return (
    <Field label="Name" hint="Lower-case letters, digits, dots, hyphens and underscores; at most 63.">
      {(attributes) => (
        <input
          {...attributes}
          value={name}
          onInput={(event) => onInput(event.currentTarget.value)}
          maxLength={63}
          autocomplete="off"
          spellcheck={false}
          autofocus
          required
        />
      )}
    </Field>
  );
}
