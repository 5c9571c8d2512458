/** What is unusual right now: for somebody who wants to know in ten seconds whether all is well. */
import { useLoaded, useRefresh } from "../load";
import { useShortcuts } from "../shortcuts";
import { listTemplates } from "../templates/model";
import { Button, RelativeTime } from "../ui";
import { Health } from "./health";
import { readVolumes } from "./model";
import { NewTemplates } from "./newtemplates";
import { readUnusual, Unusual } from "./unusual";
import { VolumeTable } from "./volumes";
import "./home.css";

const UNUSUAL_SECONDS = 15;
const COUNTS_SECONDS = 60;
const NEW_TEMPLATES = 500; // so many at most are looked through

export function HomePage() {
  const unusual = useLoaded(readUnusual, []);
  const volumes = useLoaded(readVolumes, []);
  const templates = useLoaded(
    (signal) => listTemplates({ order: "first_seen", limit: NEW_TEMPLATES, since: "-24h" }, signal),
    [],
  );
  useRefresh(unusual.reload, UNUSUAL_SECONDS, true);
  useRefresh(volumes.reload, COUNTS_SECONDS, true);
  useRefresh(templates.reload, COUNTS_SECONDS, true);
  const reload = () => void Promise.all([unusual.reload(), volumes.reload(), templates.reload()]);
  useShortcuts("Home", [{ keys: ["r"], does: "Look again", run: reload }]);
  return (
    <div class="page">
      <div class="page-head">
        <h1>What is unusual right now?</h1>
        <div class="home-as-of">
          <span class="hint">
            {unusual.at > 0 && (
              <>
                looked <RelativeTime at={new Date(unusual.at).toISOString()} />
              </>
            )}
          </span>
          <Button quiet icon="refresh" label="Look again" onClick={reload} />
        </div>
      </div>
      <Unusual unusual={unusual} templates={templates} />
      <Health />
      <div class="home-columns">
        <VolumeTable volumes={volumes} />
        <NewTemplates templates={templates} />
      </div>
    </div>
  );
}
