import { useState } from "preact/hooks";
import { useLoaded } from "../load";
import { link, navigate } from "../router";
import { Button, Confirm, ErrorState, Loading, RelativeTime, toast } from "../ui";
import { UsageMeters } from "./index";
import { Keys } from "./keys";
import { LimitsForm } from "./limits";
import { NameField } from "./list";
import { type Application, changeApplication, readUsage, showApplication } from "./model";
import { StatusBadge } from "./pieces";

export function ApplicationDetail({ name }: { name: string }) {
  const application = useLoaded((signal) => showApplication(name, signal), [name]);
  const usage = useLoaded(readUsage, [name]);
  const own = usage.value?.get(name);
  return (
    <div class="page">
      <nav class="crumbs" aria-label="Breadcrumb">
        <a href={link("applications")}>Applications</a>
      </nav>
      {application.value ? (
        <>
          <Head application={application.value} reload={application.reload} />
          <div class="applications-side-by-side">
            <section class="card panel" aria-label="Usage">
              <h2>Today</h2>
              {own ? (
                <UsageMeters usage={own} />
              ) : usage.value ? (
                <p class="muted">How much was sent cannot be told right now.</p>
              ) : (
                <Loading what="usage" />
              )}
            </section>
            <LimitsForm application={application.value} effective={own?.limits} reload={application.reload} />
          </div>
          <Keys name={name} />
        </>
      ) : application.problem ? (
        <ErrorState problem={application.problem} onRetry={application.reload} />
      ) : (
        <Loading what={name} />
      )}
    </div>
  );
}

function Head({ application, reload }: { application: Application; reload: () => Promise<void> }) {
  const [asked, setAsked] = useState<"rename" | "status" | null>(null);
  const isActive = application.status === "active";
  return (
    <div class="page-head">
      <div class="applications-title">
        <h1>{application.name}</h1>
        <StatusBadge status={application.status} />
        <span class="hint">
          created <RelativeTime at={application.created_at} />
        </span>
      </div>
      <div class="head-tools">
        <Button onClick={() => setAsked("rename")}>Rename</Button>
        <Button onClick={() => setAsked("status")}>{isActive ? "Disable" : "Enable"}</Button>
      </div>
      {asked === "rename" && <Rename name={application.name} onClose={() => setAsked(null)} />}
      {asked === "status" && <ChangeStatus application={application} reload={reload} onClose={() => setAsked(null)} />}
    </div>
  );
}

function Rename({ name, onClose }: { name: string; onClose: () => void }) {
  const [next, setNext] = useState(name);

  async function rename() {
    await changeApplication(name, { name: next });
    toast(`${name} is called ${next} now.`);
    navigate(link(`applications/${next}`), { replace: true });
  }

  return (
    <Confirm title={`Rename ${name}`} action="Rename" run={rename} onClose={onClose}>
      <NameField name={next} onInput={setNext} />
      <p class="muted">Keys and logs stay. Shared links that name the application find nothing any more.</p>
    </Confirm>
  );
}

interface StatusProps {
  application: Application;
  reload: () => Promise<void>;
  onClose: () => void;
}

function ChangeStatus({ application: { name, status }, reload, onClose }: StatusProps) {
  const isActive = status === "active";

  async function change() {
    await changeApplication(name, { status: isActive ? "disabled" : "active" });
    await reload();
    toast(isActive ? `${name} is disabled.` : `${name} is enabled.`);
  }

  return (
    <Confirm
      title={`${isActive ? "Disable" : "Enable"} ${name}?`}
      action={isActive ? "Disable" : "Enable"}
      danger={isActive}
      run={change}
      onClose={onClose}
    >
      <p>
        {isActive
          ? "Within 15 seconds all its keys are refused: nothing can be sent or read with them. Its logs stay."
          : "Its keys are good again, except those that were revoked or have expired."}
      </p>
    </Confirm>
  );
}
