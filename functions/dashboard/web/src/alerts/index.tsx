/** What to watch for, what fired, and who is told. */
import type { ComponentType } from "preact";
import { link, route } from "../router";
import { Tabs } from "../ui";
import { ChannelList } from "./channels";
import { IncidentPage } from "./incident";
import { IncidentLists } from "./incidents";
import { RuleEditor } from "./ruleeditor";
import { RuleList } from "./rules";
import { SilenceLists } from "./silences";
import "./alerts.css";

interface Tab {
  path: string;
  title: string;
  list: ComponentType;
  one?: ComponentType<{ id: string }>;
}

const TABS: Tab[] = [
  { path: "incidents", title: "Incidents", list: IncidentLists, one: IncidentPage },
  { path: "rules", title: "Rules", list: RuleList, one: RuleEditor },
  { path: "channels", title: "Channels", list: ChannelList },
  { path: "silences", title: "Silences", list: SilenceLists },
];

export function AlertsPage() {
  const [path = "incidents", id] = route.value.rest;
  const tab = TABS.find((each) => each.path === path) ?? TABS[0]!;
  if (id && tab.one) {
    const One = tab.one;
    return (
      <div class="page">
        <nav class="crumbs" aria-label="Breadcrumb">
          <a href={link(`alerts/${tab.path}`)}>{tab.title}</a>
        </nav>
        <One key={id} id={id} />
      </div>
    );
  }
  const List = tab.list;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Alerts</h1>
        <Tabs label="Alerts" base="alerts" tabs={TABS} current={tab.path} />
      </div>
      <List />
    </div>
  );
}
