/** What the logs say, and how often: each message with its values taken out. */
import { route } from "../router";
import { TemplateDetailPage } from "./detail";
import { VersionDiff } from "./diff";
import { ListTools, TemplateList } from "./list";
import "./templates.css";
import { Tabs } from "../ui";

const TABS = [
  { path: "", title: "All" },
  { path: "versions", title: "By version" },
];

export function TemplatesPage() {
  const [part = ""] = route.value.rest;
  if (part && part !== "versions") {
    return <TemplateDetailPage key={part} id={part} />;
  }
  return (
    <div class="page">
      <div class="page-head">
        <h1>{part ? "What a version changed" : "Templates"}</h1>
        <Tabs label="Templates" base="templates" tabs={TABS} current={part} />
        {!part && <ListTools />}
      </div>
      {part ? <VersionDiff /> : <TemplateList />}
    </div>
  );
}
