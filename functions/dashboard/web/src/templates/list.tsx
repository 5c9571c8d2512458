import { useRef, useState } from "preact/hooks";
import { counted, figure, percentage } from "../figures";
import { useLoaded } from "../load";
import { here, link, navigate, route } from "../router";
import { useShortcuts } from "../shortcuts";
import {
  Button,
  type Column,
  EmptyState,
  ErrorState,
  Levels,
  Loading,
  RelativeTime,
  SpanSelect,
  Sparkline,
  shownSince,
  shownSpan,
  Table,
  TemplateText,
} from "../ui";
import { listTemplates, type Templates } from "./model";

const SEARCH_ID = "templates-search";
const FIRST = 50;
const MOST = 500;
const TYPING_MILLISECONDS = 300;

type Listed = Templates["templates"][number];

export function TemplateList() {
  const { query } = route.value;
  const [limit, setLimit] = useState(FIRST);
  const since = shownSince();
  const asked = {
    q: query.get("q") ?? "",
    application: query.get("application") ?? "",
    order: query.get("order") ?? "count",
    ignored: query.has("ignored") ? "yes" : "no",
  };
  const found = useLoaded(
    (signal) => listTemplates({ ...asked, since, limit }, signal),
    [...Object.values(asked), since, limit],
  );
  useShortcuts("Templates", [
    { keys: ["/"], does: "Find a template", run: () => document.getElementById(SEARCH_ID)?.focus() },
    { keys: ["r"], does: "Count again", run: () => void found.reload() },
  ]);
  const isFiltered = Boolean(asked.q || asked.application);
  return (
    <div class="card">
      <div class="card-head">
        <Summary found={found.value} />
        <Filters applications={found.value?.health.map(({ application }) => application) ?? []} />
      </div>
      {found.value ? (
        found.value.templates.length > 0 ? (
          <TemplateTable found={found.value} order={asked.order} />
        ) : (
          <Nothing isFiltered={isFiltered} />
        )
      ) : found.problem ? (
        <ErrorState problem={found.problem} onRetry={found.reload} />
      ) : (
        <Loading what="templates" lines={9} />
      )}
      {found.value?.templates.length === limit && <More limit={limit} onMore={() => setLimit(MOST)} />}
    </div>
  );
}

/** What stands in the page's head. */
export function ListTools() {
  return (
    <div class="head-tools">
      <Search />
      <SpanSelect />
    </div>
  );
}

function Search() {
  const timer = useRef(0);
  const find = (q: string) => navigate(here({ q }), { replace: true });
  return (
    <input
      id={SEARCH_ID}
      type="search"
      aria-label="Find by words"
      placeholder="Find by words"
      defaultValue={route.value.query.get("q") ?? ""}
      onInput={(event) => {
        const q = event.currentTarget.value.trim();
        clearTimeout(timer.current);
        timer.current = window.setTimeout(() => find(q), TYPING_MILLISECONDS);
      }}
    />
  );
}

function Summary({ found }: { found: Templates | undefined }) {
  if (!found) {
    return <p class="muted templates-summary">…</p>;
  }
  const { total, unclustered, health } = found;
  const overflowed = health.filter(({ overflowed_at }) => overflowed_at);
  return (
    <div class="templates-summary">
      <p>
        {counted(total, "log")} in the last {shownSpan()}
        {unclustered > 0 && (
          <span class="muted">, {figure(unclustered)} of them without a template for up to a minute</span>
        )}
      </p>
      {overflowed.map(({ application, templates }) => (
        <p key={application} class="field-error">
          {application} has {figure(templates)} templates, as many as are kept: new messages all go to one. Put what
          varies into metadata, or merge templates.
        </p>
      ))}
    </div>
  );
}

function Filters({ applications }: { applications: string[] }) {
  const { query } = route.value;
  const application = query.get("application") ?? "";
  const go = (change: Record<string, string | null>) => navigate(here(change), { replace: true });
  return (
    <div class="templates-filters">
      {(applications.length > 1 || application) && (
        <select
          aria-label="Application"
          value={application}
          onChange={(event) => go({ application: event.currentTarget.value })}
        >
          <option value="">all applications</option>
          {[...new Set([...applications, application])].filter(Boolean).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
      <label>
        <input
          type="checkbox"
          checked={query.has("ignored")}
          onChange={(event) => go({ ignored: event.currentTarget.checked ? "1" : null })}
        />{" "}
        ignored ones, too
      </label>
    </div>
  );
}

function TemplateTable({ found, order }: { found: Templates; order: string }) {
  const isSeveral = new Set(found.templates.map(({ application }) => application)).size > 1;
  const isNew = ({ first_seen }: Listed) => Date.parse(first_seen) >= Date.parse(found.since);
  const isTelling = found.templates.filter(isNew).length <= found.templates.length / 2;
  const columns: Column<Listed>[] = [
    {
      title: "Template",
      wraps: true,
      cell: (template) => <Title template={template} isNew={isTelling && isNew(template)} />,
    },
    { title: "Levels", wideOnly: true, cell: ({ levels }) => <Levels counts={levels} /> },
    {
      title: "Trend",
      cell: ({ trend }) => <Sparkline label={trendText(trend)} counts={trend} />,
    },
    {
      title: "Logs",
      numeric: true,
      order: "count",
      cell: ({ count, share }) => (
        <div class="two-lines">
          <span>{figure(count)}</span>
          <span class="muted">{percentage(share)}</span>
        </div>
      ),
    },
    { title: "First seen", order: "first_seen", cell: ({ first_seen }) => <RelativeTime at={first_seen} /> },
    {
      title: "Last seen",
      order: "last_seen",
      wideOnly: true,
      cell: ({ last_seen }) => last_seen && <RelativeTime at={last_seen} />,
    },
  ];
  if (isSeveral) {
    columns.splice(1, 0, { title: "Application", wideOnly: true, cell: ({ application }) => application });
  }
  return (
    <Table
      caption="Templates"
      rows={found.templates}
      rowKey={({ id }) => id}
      columns={columns}
      order={order}
      onOrder={(chosen) => navigate(here({ order: chosen === "count" ? null : chosen }), { replace: true })}
    />
  );
}

/** The link takes the list's filters along, for the way back. */
function Title({ template, isNew }: { template: Listed; isNew: boolean }) {
  const { id, name, text, example, ignored } = template;
  return (
    <div class="templates-title">
      <a href={link(`templates/${id}`, route.value.query)} title={example ?? undefined}>
        {name ?? <TemplateText text={text} />}
      </a>
      {isNew && <span class="badge caution">new</span>}
      {ignored && <span class="badge">ignored</span>}
      {name && (
        <div class="templates-under">
          <TemplateText text={text} />
        </div>
      )}
    </div>
  );
}

/** For those who do not see the bars. */
export function trendText(trend: number[]): string {
  const half = Math.floor(trend.length / 2);
  const sum = (counts: number[]) => counts.reduce((all, count) => all + count, 0);
  return `${figure(sum(trend.slice(0, half)))} in the first half of the time, ${figure(sum(trend.slice(half)))} since`;
}

function Nothing({ isFiltered }: { isFiltered: boolean }) {
  return isFiltered ? (
    <EmptyState
      icon="search"
      title="No template is like this"
      action={<a href={link("templates", { since: route.value.query.get("since") })}>Show all</a>}
    >
      All words must be in its text or name.
    </EmptyState>
  ) : (
    <EmptyState
      title="No templates in this time"
      action={<a href={here({ since: "-30d" })}>Look at the last 30 days</a>}
    >
      Each log gets the template of its message as it is stored. Send some, or look further back.
    </EmptyState>
  );
}

function More({ limit, onMore }: { limit: number; onMore: () => void }) {
  return (
    <div class="more">
      {limit < MOST ? (
        <Button onClick={onMore}>Show {MOST}</Button>
      ) : (
        <p class="hint">These are the first {MOST}: find others by words.</p>
      )}
    </div>
  );
}
