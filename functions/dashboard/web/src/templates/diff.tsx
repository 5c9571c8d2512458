import type { ComponentChildren } from "preact";
import { get, type Problem } from "../api";
import { readUsage } from "../applications/model";
import { counted, figure, span } from "../figures";
import { useLoaded } from "../load";
import { here, link, navigate, route } from "../router";
import { isAdmin, session } from "../session";
import { useShortcuts } from "../shortcuts";
import { type Column, EmptyState, ErrorState, Icon, Loading, RelativeTime, SafeText, Table, TemplateText } from "../ui";

interface Change {
  template: { id: number; text: string; name: string | null };
  service: string | null;
  /** Logs on each side; `expected` is `before` at the traffic of the version. */
  before: number;
  after: number;
  expected: number;
  ratio: number | null;
  first_seen: string | null;
  last_seen_before: string | null;
  sentence: string;
  /** Shows the logs. */
  query: string;
}

interface Version {
  version: string;
  service: string | null;
  since: string;
  until: string;
  logs: number;
}

interface Compared {
  service: string | null;
  before: { versions: string[]; since: string; until: string; logs: number };
  after: { since: string; until: string; logs: number };
}

interface Diff {
  application: string;
  /** Null where no log names a version. */
  version: string | null;
  against: string | null;
  versions: Version[];
  spans: Compared[];
  only_new: Change[];
  gone: Change[];
  changed: Change[];
  left_out: number;
}

/** What an application says since a version that it did not say before, and what more or less often. */
export function VersionDiff() {
  const { query } = route.value;
  const asked = {
    application: query.get("application") ?? session.value?.application ?? "",
    version: query.get("version") ?? "",
    against: query.get("against") ?? "",
    service: query.get("service") ?? "",
  };
  const diff = useLoaded((signal) => get<Diff>("api/diff", { query: asked, signal }), Object.values(asked));
  useShortcuts("Versions", [{ keys: ["r"], does: "Compare again", run: () => void diff.reload() }]);
  return (
    <>
      <div class="card panel">
        <Choices asked={asked} diff={diff.value} />
        {diff.value && <Spans diff={diff.value} />}
      </div>
      {diff.value ? (
        <Changes diff={diff.value} />
      ) : diff.problem ? (
        <Failed problem={diff.problem} retry={diff.reload} />
      ) : (
        <Loading what="what changed" lines={9} />
      )}
    </>
  );
}

function Failed({ problem, retry }: { problem: Problem; retry: () => Promise<void> }) {
  return problem.code === "unknown_version" ? (
    <div class="card">
      <EmptyState
        icon="search"
        title="No log has this version"
        action={<a href={here({ version: null, against: null, service: null })}>Show the latest version</a>}
      >
        {problem.detail}
      </EmptyState>
    </div>
  ) : (
    <ErrorState problem={problem} onRetry={retry} />
  );
}

interface ChoicesProps {
  asked: Record<"application" | "version" | "against" | "service", string>;
  diff: Diff | undefined;
}

function Choices({ asked, diff }: ChoicesProps) {
  const go = (change: Record<string, string | null>) => navigate(here(change), { replace: true });
  const versions = [...new Set(diff?.versions.map(({ version }) => version))];
  const services = [...new Set(diff?.versions.map(({ service }) => service ?? ""))].filter(Boolean);
  return (
    <div class="templates-choices">
      {isAdmin.value && (
        <ApplicationChoice
          application={asked.application}
          choose={(application) => go({ application, version: null, against: null, service: null })}
        />
      )}
      <Select
        label="Version"
        value={asked.version || diff?.version || ""}
        choices={versions.map((version) => [version, version])}
        choose={(version) => go({ version, against: asked.against === version ? null : asked.against })}
      />
      <Select
        label="Against"
        value={asked.against}
        choices={[
          ["", "what came before"],
          ...versions
            .filter((version) => version !== diff?.version)
            .map((version): [string, string] => [version, version]),
        ]}
        choose={(against) => go({ against })}
      />
      {services.length > 1 && (
        <Select
          label="Service"
          value={asked.service}
          choices={[["", "all services"], ...services.map((service): [string, string] => [service, service])]}
          choose={(service) => go({ service })}
        />
      )}
    </div>
  );
}

function ApplicationChoice({ application, choose }: { application: string; choose: (name: string) => void }) {
  const usage = useLoaded(readUsage, []);
  const names = [...new Set([application, ...(usage.value?.keys() ?? [])])].sort();
  return <Select label="Application" value={application} choices={names.map((name) => [name, name])} choose={choose} />;
}

interface SelectProps {
  label: string;
  value: string;
  choices: [value: string, title: string][];
  choose: (value: string) => void;
}

function Select({ label, value, choices, choose }: SelectProps) {
  const all = choices.some(([each]) => each === value) ? choices : [[value, value || "…"] as const, ...choices];
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {all.map(([each, title]) => (
          <option key={each} value={each}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Which logs were compared, in words. */
function Spans({ diff: { spans, version } }: { diff: Diff }) {
  return (
    <ul class="templates-spans">
      {spans.map(({ service, before, after }) => (
        <li key={service}>
          {service && <strong>{service}: </strong>}
          {counted(after.logs, "log")} of {version} in {span(seconds(after))}
          <span class="muted">
            {" "}
            against {counted(before.logs, "log")} of{" "}
            {before.versions.length > 0 ? before.versions.join(", ") : "the time before"} in {span(seconds(before))}
          </span>
        </li>
      ))}
    </ul>
  );
}

const seconds = ({ since, until }: { since: string; until: string }) => (Date.parse(until) - Date.parse(since)) / 1_000;

function Changes({ diff }: { diff: Diff }) {
  const { version, application, spans, only_new, gone, changed, left_out } = diff;
  if (version === null) {
    return (
      <div class="card">
        <EmptyState title="No log names a version">
          Let {application} send the field version with its logs: then each deploy can be compared with what was before.
        </EmptyState>
      </div>
    );
  }
  if (spans.every(({ before }) => before.logs === 0)) {
    return (
      <div class="card">
        <EmptyState title={`Nothing came before ${version}`}>
          There are no logs of earlier versions, or without one, to compare it with.
        </EmptyState>
      </div>
    );
  }
  if (only_new.length + gone.length + changed.length === 0) {
    return (
      <div class="card">
        <EmptyState icon="check" title={`${version} says nothing new`}>
          All that it logs was logged before, about as often.
        </EmptyState>
      </div>
    );
  }
  return (
    <>
      <ChangeTable title={`Only since ${version}`} changes={only_new} when="first" />
      <ChangeTable title={`Gone with ${version}`} changes={gone} when="last" />
      <ChangeTable title="More or less often" changes={changed} when={null} />
      {left_out > 0 && <p class="hint">{counted(left_out, "weaker change")} left out.</p>}
    </>
  );
}

interface ChangeTableProps {
  title: string;
  changes: Change[];
  when: "first" | "last" | null;
}

function ChangeTable({ title, changes, when }: ChangeTableProps) {
  if (changes.length === 0) {
    return null;
  }
  const columns: Column<Change>[] = [
    { title: "Template", wraps: true, cell: (change) => <Title change={change} /> },
    { title: "Before", numeric: true, wideOnly: true, cell: ({ before }) => figure(before) },
    { title: "After", numeric: true, cell: ({ after }) => figure(after) },
    when === null
      ? { title: "Change", numeric: true, cell: ({ ratio }) => <Ratio ratio={ratio} /> }
      : {
          title: when === "first" ? "First seen" : "Last seen",
          cell: ({ first_seen, last_seen_before }) => moment(when === "first" ? first_seen : last_seen_before),
        },
    {
      title: "Logs",
      head: null,
      cell: ({ query }) => (
        <a
          class="button icon-only quiet"
          href={link("logs", { q: query, since: "-7d" })}
          aria-label="Logs"
          title="Logs"
        >
          <Icon name="search" />
        </a>
      ),
    },
  ];
  return (
    <section class="card" aria-label={title}>
      <div class="card-head">
        <h2>
          {title} <span class="badge">{changes.length}</span>
        </h2>
      </div>
      <Table
        caption={title}
        rows={changes}
        rowKey={({ template, service }) => `${template.id} ${service}`}
        columns={columns}
      />
    </section>
  );
}

const moment = (at: string | null): ComponentChildren => at && <RelativeTime at={at} />;

function Title({ change: { template, sentence, service } }: { change: Change }) {
  return (
    <div class="two-lines">
      <a href={link(`templates/${template.id}`)}>{template.name ?? <TemplateText text={template.text} />}</a>
      <span class="muted">
        {service && `${service}: `}
        <SafeText text={sentence} />
      </span>
    </div>
  );
}

/** "12 ×" what was expected; more of an error and less of anything are told apart by the arrow. */
function Ratio({ ratio }: { ratio: number | null }) {
  if (ratio === null) {
    return null;
  }
  return (
    <span class="templates-ratio">
      <Icon name={ratio > 1 ? "up" : "down"} />
      {ratio >= 10 ? figure(Math.round(ratio)) : Number(ratio.toPrecision(2))} ×
    </span>
  );
}
