import { useState } from "preact/hooks";
import { useLoaded } from "../load";
import { useShortcuts } from "../shortcuts";
import {
  Button,
  Confirm,
  EmptyState,
  ErrorState,
  Field,
  Loading,
  RelativeTime,
  SecretDialog,
  Table,
  toast,
} from "../ui";
import { type CreatedKey, createKey, type Key, listKeys, revokeKey, rotateKey } from "./model";
import { StatusBadge } from "./pieces";

type Asked = { what: "create" } | { what: "rotate" | "revoke"; key: Key } | null;

export function Keys({ name }: { name: string }) {
  const keys = useLoaded((signal) => listKeys(name, signal), [name]);
  const [asked, setAsked] = useState<Asked>(null);
  const [created, setCreated] = useState<CreatedKey | null>(null);
  useShortcuts("Application", [{ keys: ["n"], does: "New key", run: () => setAsked({ what: "create" }) }]);
  const close = () => setAsked(null);
  const show = (key: CreatedKey) => {
    setCreated(key);
    void keys.reload();
  };
  return (
    <section class="card" aria-label="Keys">
      <div class="card-head">
        <h2>Keys</h2>
        <Button primary icon="plus" onClick={() => setAsked({ what: "create" })}>
          New key
        </Button>
      </div>
      {keys.value ? (
        keys.value.length > 0 ? (
          <KeyTable keys={keys.value} onAsk={setAsked} />
        ) : (
          <EmptyState icon="key" title="No keys yet">
            Create one with the scope ingest and give it to the program that sends logs.
          </EmptyState>
        )
      ) : keys.problem ? (
        <ErrorState problem={keys.problem} onRetry={keys.reload} />
      ) : (
        <Loading what="keys" />
      )}
      {asked?.what === "create" && <CreateDialog name={name} onCreated={show} onClose={close} />}
      {asked?.what === "rotate" && <RotateDialog old={asked.key} onCreated={show} onClose={close} />}
      {asked?.what === "revoke" && <RevokeDialog doomed={asked.key} reload={keys.reload} onClose={close} />}
      {created && asked === null && (
        <SecretDialog what="key" secret={created.key} onClose={() => setCreated(null)}>
          It is shown this once: Sluice itself keeps only a hash of it.
        </SecretDialog>
      )}
    </section>
  );
}

function KeyTable({ keys, onAsk }: { keys: Key[]; onAsk: (asked: Asked) => void }) {
  return (
    <Table
      caption="Keys"
      rows={keys}
      rowKey={({ key_id }) => key_id}
      columns={[
        {
          title: "Key",
          cell: ({ key_id, description }) => (
            <div class="two-lines">
              <span class="clip">{description ?? <span class="muted">no description</span>}</span>
              <code class="muted">{key_id}</code>
            </div>
          ),
        },
        { title: "Status", cell: (key) => <KeyStatus of={key} /> },
        { title: "Scopes", cell: ({ scopes }) => scopes.join(", ") },
        { title: "Last used", cell: ({ last_used_at }) => <Time at={last_used_at} otherwise="never" /> },
        { title: "Expires", cell: ({ expires_at }) => <Time at={expires_at} otherwise="never" /> },
        {
          title: "Actions",
          head: null,
          cell: (key) =>
            key.status === "active" && (
              <div class="row-actions">
                {!key.rotated_to && <Button onClick={() => onAsk({ what: "rotate", key })}>Rotate</Button>}
                <Button onClick={() => onAsk({ what: "revoke", key })}>Revoke</Button>
              </div>
            ),
        },
      ]}
    />
  );
}

function KeyStatus({ of: { status, rotated_to } }: { of: Key }) {
  return status === "active" && rotated_to ? (
    <span class="badge caution" title={`Its successor is ${rotated_to}`}>
      replaced
    </span>
  ) : (
    <StatusBadge status={status} />
  );
}

function Time({ at, otherwise }: { at: string | null; otherwise: string }) {
  return at ? <RelativeTime at={at} /> : <span class="muted">{otherwise}</span>;
}

const SCOPES = [
  { scope: "ingest", does: "sends logs" },
  { scope: "read", does: "reads this application's logs" },
  { scope: "alerts", does: "reads and changes what this application alerts to" },
  { scope: "admin", does: "reads and administers all applications" },
  { scope: "metrics", does: "reads Sluice's own metrics, for Prometheus" },
];
const LIFETIMES: [string, number | null][] = [
  ["Never", null],
  ["In 30 days", 30],
  ["In 90 days", 90],
  ["In a year", 365],
];

interface Creating {
  onCreated: (key: CreatedKey) => void;
  onClose: () => void;
}

function CreateDialog({ name, onCreated, onClose }: Creating & { name: string }) {
  const [scopes, setScopes] = useState(["ingest"]);
  const [description, setDescription] = useState("");
  const [days, setDays] = useState<number | null>(null);

  async function create() {
    const expires_at = days === null ? null : new Date(Date.now() + days * 86_400_000).toISOString();
    onCreated(await createKey(name, { scopes, description: description.trim() || null, expires_at }));
  }

  return (
    <Confirm title={`New key of ${name}`} action="Create key" run={create} onClose={onClose}>
      <Field label="Description" hint="Who uses it, so that somebody knows when it may go.">
        {(attributes) => (
          <input
            {...attributes}
            value={description}
            onInput={(event) => setDescription(event.currentTarget.value)}
            maxLength={200}
            autocomplete="off"
            autofocus
          />
        )}
      </Field>
      <fieldset>
        <legend>Scopes</legend>
        {SCOPES.map(({ scope, does }) => (
          <label key={scope}>
            <input
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={(event) =>
                setScopes(event.currentTarget.checked ? [...scopes, scope] : scopes.filter((other) => other !== scope))
              }
            />
            {scope} <span class="muted">{does}</span>
          </label>
        ))}
      </fieldset>
      <Field label="Expires">
        {(attributes) => (
          <select {...attributes} onChange={(event) => setDays(LIFETIMES[event.currentTarget.selectedIndex]![1])}>
            {LIFETIMES.map(([text]) => (
              <option key={text}>{text}</option>
            ))}
          </select>
        )}
      </Field>
    </Confirm>
  );
}

const OVERLAPS: [string, number][] = [
  ["1 day", 86_400],
  ["1 hour", 3_600],
  ["7 days", 604_800],
  ["Not at all", 0],
];

function RotateDialog({ old, onCreated, onClose }: Creating & { old: Key }) {
  const [overlap, setOverlap] = useState(OVERLAPS[0]![1]);
  return (
    <Confirm
      title="Rotate this key?"
      action="Rotate"
      run={async () => onCreated(await rotateKey(old.key_id, overlap))}
      onClose={onClose}
    >
      <p>
        A successor with the same scopes is made. <KeyName of={old} /> stays good for a while, so that programs can
        change over.
      </p>
      <Field label="The old key stays good for">
        {(attributes) => (
          <select {...attributes} onChange={(event) => setOverlap(OVERLAPS[event.currentTarget.selectedIndex]![1])}>
            {OVERLAPS.map(([text]) => (
              <option key={text}>{text}</option>
            ))}
          </select>
        )}
      </Field>
    </Confirm>
  );
}

function RevokeDialog({ doomed, reload, onClose }: { doomed: Key; reload: () => Promise<void>; onClose: () => void }) {
  async function revoke() {
    await revokeKey(doomed.key_id);
    await reload();
    toast("The key is revoked: within 15 seconds it is refused everywhere.");
  }

  return (
    <Confirm title="Revoke this key?" action="Revoke" danger run={revoke} onClose={onClose}>
      <p>
        <KeyName of={doomed} /> is refused from now on, for good. What was sent with it stays.{" "}
        {doomed.last_used_at ? (
          <>
            It was last used <RelativeTime at={doomed.last_used_at} />.
          </>
        ) : (
          "It was never used."
        )}
      </p>
    </Confirm>
  );
}

function KeyName({ of: { key_id, description } }: { of: Key }) {
  return <strong class="applications-key-name">{description ? `${description} (${key_id})` : key_id}</strong>;
}
