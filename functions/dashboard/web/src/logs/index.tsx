/** The logs page: for somebody who has just been woken up. */
import { useEffect, useState } from "preact/hooks";
import "./logs.css";
import { useShortcuts } from "../shortcuts";
import { Loading } from "../ui";
import { HistogramView, undoZoom } from "./histogramview";
import { LogList } from "./list";
import { followQuestion, isSearching, problem, rows } from "./search";
import { SEARCH_ID, SearchBox } from "./searchbox";
import { Sidebar } from "./sidebar";
import { Failed, Linked, Nothing } from "./states";
import { followTail, toggleTail } from "./tail";
import { TimePicker } from "./timepicker";
import { Toolbar } from "./toolbar";
import { ask, show, store, stored, view } from "./view";
import { readLanguage } from "./vocabulary";

const isWide = () => matchMedia("(min-width: 1000px)").matches;

export function LogsPage() {
  const [isFilters, setFilters] = useState(isWide() && stored("filters") !== "closed");
  useEffect(() => {
    void readLanguage();
    const stop = [followQuestion(), followTail()];
    return () => {
      for (const end of stop) {
        end();
      }
    };
  }, []);
  useShortcuts("Search", [
    { keys: ["/"], does: "Write the search", run: () => document.getElementById(SEARCH_ID)?.focus() },
    { keys: ["r"], does: "Search again", run: () => ask() },
    { keys: ["t"], does: "Live tail on or off", run: toggleTail },
    { keys: ["w"], does: "Wrap long messages", run: () => show({ wraps: !view.value.wraps }, { replace: true }) },
    { keys: ["f"], does: "Fields beside the logs", run: flipFilters },
    { keys: ["z"], does: "Undo zoom", run: undoZoom },
  ]);

  function flipFilters() {
    setFilters((were) => {
      store("filters", were ? "closed" : "open");
      return !were;
    });
  }

  return (
    <div class={`logs-page ${isFilters ? "has-sidebar" : ""}`}>
      <h1 class="visually-hidden">Logs</h1>
      <div class="logs-search-bar" role="search">
        <SearchBox />
        <TimePicker />
      </div>
      {isFilters && (
        <aside class="logs-sidebar" aria-label="Fields">
          <Sidebar />
        </aside>
      )}
      <div class="logs-results" aria-busy={isSearching.value}>
        <HistogramView />
        <Toolbar isFilters={isFilters} onFilters={flipFilters} />
        <Linked />
        <Results />
      </div>
    </div>
  );
}

function Results() {
  if (problem.value) {
    return <Failed />;
  }
  if (rows.value.length > 0) {
    return <LogList />;
  }
  return isSearching.value ? <Loading what="logs" lines={12} /> : <Nothing />;
}
