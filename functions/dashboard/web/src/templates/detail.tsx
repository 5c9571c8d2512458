import { useState } from "preact/hooks";
import { counted, figure, percentage } from "../figures";
import { type Loaded, useLoaded } from "../load";
import { here, link, route } from "../router";
import { isAdmin } from "../session";
import { useShortcuts } from "../shortcuts";
import {
  Button,
  EmptyState,
  ErrorState,
  Icon,
  Levels,
  Loading,
  RelativeTime,
  SafeText,
  SpanSelect,
  shownSince,
  shownSpan,
  TemplateText,
  TimeChart,
  toast,
  toastProblem,
} from "../ui";
import { MergeDialog, RenameDialog } from "./edit";
import { History, Members } from "./history";
import { changeTemplate, showTemplate, type Template, type TemplateDetail } from "./model";
import { Places } from "./places";

export function TemplateDetailPage({ id }: { id: string }) {
  const since = shownSince();
  const detail = useLoaded((signal) => showTemplate(id, since, signal), [id, since]);
  useShortcuts("Template", [{ keys: ["r"], does: "Count again", run: () => void detail.reload() }]);
  return (
    <div class="page">
      <nav class="crumbs" aria-label="Breadcrumb">
        <a href={link("templates", route.value.query)}>Templates</a>
      </nav>
      {detail.value ? (
        <Detail detail={detail.value} reload={detail.reload} />
      ) : detail.problem ? (
        <ErrorState problem={detail.problem} onRetry={detail.reload} />
      ) : (
        <Loading what="the template" lines={9} />
      )}
    </div>
  );
}

interface Props {
  detail: TemplateDetail;
  reload: Loaded<TemplateDetail>["reload"];
}

function Detail({ detail, reload }: Props) {
  const { template, parameters, examples, members, changes } = detail;
  const isSplit = members.some(({ id, split }) => id === template.id && split);
  return (
    <>
      <Head template={template} isSplit={isSplit} reload={reload} />
      <section class="card panel" aria-label="Count">
        <Facts template={template} />
        <TimeChart
          starts={detail.starts}
          intervalSeconds={detail.interval_seconds}
          bars={[{ token: "--level-info", counts: template.trend }]}
        />
      </section>
      {template.count > 0 ? (
        <>
          <Places text={template.text} id={template.id} parameters={parameters} />
          <Examples examples={examples} />
        </>
      ) : (
        <div class="card">
          <EmptyState
            title={`No such log in the last ${shownSpan()}`}
            action={<a href={here({ since: "-30d" })}>Look at the last 30 days</a>}
          >
            {template.last_seen ? "Its values and examples come from logs of the time that is shown." : null}
          </EmptyState>
        </div>
      )}
      {members.length > 1 && <Members root={template.id} members={members} reload={reload} />}
      <History changes={changes} />
    </>
  );
}

interface HeadProps {
  template: Template;
  /** Somebody took it out of what the miner had merged it into. */
  isSplit: boolean;
  reload: Props["reload"];
}

function Head({ template, isSplit, reload }: HeadProps) {
  const [asked, setAsked] = useState<"rename" | "merge" | null>(null);
  const close = () => setAsked(null);

  async function ignore() {
    try {
      await changeTemplate(template.id, { ignored: !template.ignored });
      await reload();
      toast(template.ignored ? "It is shown again." : "It is ignored: lists leave it out. Its logs stay.");
    } catch (error) {
      toastProblem(error);
    }
  }

  async function join() {
    try {
      await changeTemplate(template.id, { split: false });
      await reload();
      toast("It is what the miner makes of it again.");
    } catch (error) {
      toastProblem(error);
    }
  }

  return (
    <div class="page-head">
      <div class="heading">
        <h1>{template.name ?? <TemplateText text={template.text} isNumbered />}</h1>
        {template.name && (
          <p>
            <TemplateText text={template.text} isNumbered />
          </p>
        )}
        <p class="badges">
          <span class="badge">{template.application}</span>
          {template.ignored && <span class="badge caution">ignored</span>}
          {isSplit && <span class="badge caution">split off</span>}
          <span class="hint">template {template.id}</span>
        </p>
      </div>
      <div class="head-tools">
        <SpanSelect />
        <a class="button primary" href={link("logs", { q: `template:${template.id}`, since: shownSince() })}>
          <Icon name="search" /> Logs
        </a>
        {isAdmin.value && (
          <>
            <Button onClick={() => setAsked("rename")}>Rename</Button>
            <Button onClick={ignore}>{template.ignored ? "Show again" : "Ignore"}</Button>
            {isSplit ? (
              <Button onClick={join}>Join again</Button>
            ) : (
              <Button onClick={() => setAsked("merge")}>Merge</Button>
            )}
          </>
        )}
      </div>
      {asked === "rename" && <RenameDialog template={template} reload={reload} onClose={close} />}
      {asked === "merge" && <MergeDialog template={template} onClose={close} />}
    </div>
  );
}

function Facts({ template }: { template: Template }) {
  const { count, share, first_seen, last_seen, levels } = template;
  return (
    <div class="templates-facts">
      <p>
        <span class="big">{figure(count)}</span> {count === 1 ? "log" : "logs"} in the last {shownSpan()},{" "}
        {percentage(share)} of all
      </p>
      <p>
        <Levels counts={levels} />
      </p>
      <p class="hint">
        First seen <RelativeTime at={first_seen} />
        {last_seen && (
          <>
            , last seen <RelativeTime at={last_seen} />
          </>
        )}
      </p>
    </div>
  );
}

function Examples({ examples }: { examples: string[] }) {
  return (
    <section class="card panel" aria-label="Examples">
      <h2>{counted(examples.length, "example")}</h2>
      <ul class="templates-examples">
        {examples.map((example, at) => (
          <li key={at}>
            <SafeText text={example} />
          </li>
        ))}
      </ul>
    </section>
  );
}
