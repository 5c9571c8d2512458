import { useState } from "preact/hooks";
import { useLoaded } from "../load";
import { canAlert, session } from "../session";
import { useShortcuts } from "../shortcuts";
import {
  Button,
  type Column,
  Confirm,
  EmptyState,
  ErrorState,
  Field,
  Loading,
  RelativeTime,
  SafeText,
  SecretDialog,
  SeverityBadge,
  Table,
  toast,
  toastProblem,
} from "../ui";
import { ApplicationChoice, ofApplication } from "./applicationchoice";
import {
  CHANNEL_KINDS,
  type Channel,
  type ChannelKind,
  changeChannel,
  createChannel,
  deleteChannel,
  listChannels,
  type MadeChannel,
  rotateSecret,
  SEVERITIES,
  type Severity,
  testChannel,
} from "./model";
import { OnlyWriters } from "./pieces";

const TARGETS: Record<ChannelKind, { title: string; label: string; hint: string }> = {
  webhook: { title: "Webhook", label: "URL", hint: "https, of a public host. Messages are signed." },
  slack: { title: "Slack, or what takes its messages", label: "URL", hint: "Of an incoming webhook." },
  email: { title: "E-mail", label: "Address", hint: "Needs a sender that SES knows." },
  sns: { title: "SNS topic", label: "ARN", hint: "Of a topic whose name begins with sluice-alerts-." },
};

type Asked = { what: "new" } | { what: "edit" | "delete" | "rotate"; channel: Channel } | null;

export function ChannelList() {
  const channels = useLoaded(listChannels, []);
  const [asked, setAsked] = useState<Asked>(null);
  const [made, setMade] = useState<MadeChannel | null>(null);
  const close = () => setAsked(null);
  const show = (channel: MadeChannel) => {
    setMade(channel);
    void channels.reload();
  };
  useShortcuts("Channels", [
    { keys: ["n"], does: "New channel", run: () => canAlert.value && setAsked({ what: "new" }) },
  ]);
  return (
    <section class="card" aria-label="Channels">
      <div class="card-head">
        <h2>Who is told</h2>
        <OnlyWriters>
          <Button primary icon="plus" onClick={() => setAsked({ what: "new" })}>
            New channel
          </Button>
        </OnlyWriters>
      </div>
      {channels.value ? (
        channels.value.length > 0 ? (
          <ChannelTable channels={channels.value} reload={channels.reload} onAsk={setAsked} />
        ) : (
          <EmptyState title="Nobody is told yet">
            What fires is shown here all the same. A channel tells of it elsewhere: by webhook, Slack, e-mail or SNS.
          </EmptyState>
        )
      ) : channels.problem ? (
        <ErrorState problem={channels.problem} onRetry={channels.reload} />
      ) : (
        <Loading what="channels" />
      )}
      {asked?.what === "new" && <NewDialog onMade={show} onClose={close} />}
      {asked?.what === "edit" && <EditDialog channel={asked.channel} reload={channels.reload} onClose={close} />}
      {asked?.what === "delete" && <DeleteDialog channel={asked.channel} reload={channels.reload} onClose={close} />}
      {asked?.what === "rotate" && <RotateDialog channel={asked.channel} onMade={show} onClose={close} />}
      {made?.signing_secret && asked === null && (
        <SecretDialog what="secret" secret={made.signing_secret} onClose={() => setMade(null)}>
          Messages to “{made.name}” are signed with it, so that the receiver can tell them from others'. It is shown
          this once.
        </SecretDialog>
      )}
    </section>
  );
}

interface TableProps {
  channels: Channel[];
  reload: () => Promise<void>;
  onAsk: (asked: Asked) => void;
}

function ChannelTable({ channels, reload, onAsk }: TableProps) {
  const isSeveral = new Set(channels.map(({ application }) => application)).size > 1;
  const columns: Column<Channel>[] = [
    {
      title: "Channel",
      wraps: true,
      cell: ({ name, target }) => (
        <div class="two-lines">
          <span>
            <SafeText text={name} />
          </span>
          <span class="muted">
            <SafeText text={target} />
          </span>
        </div>
      ),
    },
    { title: "Kind", cell: ({ kind }) => kind },
    { title: "From", cell: ({ min_severity }) => <SeverityBadge severity={min_severity} /> },
    { title: "Last message", wideOnly: true, cell: ({ last_attempt }) => <LastAttempt attempt={last_attempt} /> },
    { title: "On", cell: (channel) => <Switch channel={channel} reload={reload} /> },
  ];
  if (isSeveral) {
    columns.splice(1, 0, { title: "Application", wideOnly: true, cell: ({ application }) => application });
  }
  if (canAlert.value) {
    columns.push({
      title: "Actions",
      head: null,
      cell: (channel) => <Actions channel={channel} reload={reload} onAsk={onAsk} />,
    });
  }
  return <Table caption="Channels" rows={channels} rowKey={({ id }) => id} columns={columns} />;
}

function LastAttempt({ attempt }: { attempt: Channel["last_attempt"] }) {
  return attempt ? (
    <>
      <span class={`badge ${attempt.result === "delivered" ? "good" : "bad"}`} title={attempt.code}>
        {attempt.result}
      </span>{" "}
      <RelativeTime at={attempt.at} />
    </>
  ) : (
    <span class="muted">none yet</span>
  );
}

function Switch({ channel: { id, name, enabled }, reload }: { channel: Channel; reload: () => Promise<void> }) {
  async function flip() {
    try {
      await changeChannel(id, { enabled: !enabled });
      await reload();
    } catch (error) {
      toastProblem(error);
    }
  }

  return canAlert.value ? (
    <input type="checkbox" aria-label={`“${name}” is on`} checked={enabled} onChange={flip} />
  ) : (
    <span>{enabled ? "on" : "off"}</span>
  );
}

function Actions({ channel, reload, onAsk }: { channel: Channel } & Omit<TableProps, "channels">) {
  const [busy, setBusy] = useState(false);

  async function test() {
    setBusy(true);
    try {
      const { delivered, code, detail } = await testChannel(channel.id);
      toast(
        delivered ? `“${channel.name}” has the test message.` : `Not delivered (${code}): ${detail}`,
        delivered ? "done" : "error",
      );
      await reload();
    } catch (error) {
      toastProblem(error);
    }
    setBusy(false);
  }

  return (
    <div class="row-actions">
      <Button busy={busy} onClick={test}>
        Test
      </Button>
      <Button onClick={() => onAsk({ what: "edit", channel })}>Edit</Button>
      {channel.kind === "webhook" && <Button onClick={() => onAsk({ what: "rotate", channel })}>New secret</Button>}
      <Button onClick={() => onAsk({ what: "delete", channel })}>Delete</Button>
    </div>
  );
}

interface Fields {
  name: string;
  target: string;
  severity: Severity;
}

interface FieldsProps {
  fields: Fields;
  kind: ChannelKind;
  /** What an empty target means, where it may be. */
  placeholder?: string;
  change: (change: Partial<Fields>) => void;
}

function ChannelFields({ fields, kind, placeholder, change }: FieldsProps) {
  const { label, hint } = TARGETS[kind];
  return (
    <>
      <Field label="Name">
        {(attributes) => (
          <input
            {...attributes}
            value={fields.name}
            maxLength={100}
            autocomplete="off"
            autofocus
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
        )}
      </Field>
      <Field label={label} hint={hint}>
        {(attributes) => (
          <input
            {...attributes}
            value={fields.target}
            placeholder={placeholder}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => change({ target: event.currentTarget.value })}
          />
        )}
      </Field>
      <Field label="Tell from this severity on">
        {(attributes) => (
          <select
            {...attributes}
            value={fields.severity}
            onChange={(event) => change({ severity: event.currentTarget.value as Severity })}
          >
            {SEVERITIES.toReversed().map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
      </Field>
    </>
  );
}

interface MakingProps {
  onMade: (channel: MadeChannel) => void;
  onClose: () => void;
}

function NewDialog({ onMade, onClose }: MakingProps) {
  const [application, setApplication] = useState(session.value?.application ?? "");
  const [kind, setKind] = useState<ChannelKind>("webhook");
  const [fields, setFields] = useState<Fields>({ name: "", target: "", severity: "warning" });

  async function create() {
    const { name, target, severity } = fields;
    const asked = { name: name.trim(), kind, target: target.trim(), min_severity: severity };
    onMade(await createChannel({ ...ofApplication(application), ...asked }));
    toast(`“${name.trim()}” is told from now on. Test it.`);
  }

  return (
    <Confirm title="New channel" action="Create channel" run={create} onClose={onClose}>
      <ApplicationChoice application={application} choose={setApplication} />
      <Field label="Kind">
        {(attributes) => (
          <select {...attributes} value={kind} onChange={(event) => setKind(event.currentTarget.value as ChannelKind)}>
            {CHANNEL_KINDS.map((each) => (
              <option key={each} value={each}>
                {TARGETS[each].title}
              </option>
            ))}
          </select>
        )}
      </Field>
      <ChannelFields fields={fields} kind={kind} change={(change) => setFields({ ...fields, ...change })} />
    </Confirm>
  );
}

interface OneProps {
  channel: Channel;
  reload: () => Promise<void>;
  onClose: () => void;
}

function EditDialog({ channel, reload, onClose }: OneProps) {
  const [fields, setFields] = useState<Fields>({ name: channel.name, target: "", severity: channel.min_severity });

  async function save() {
    const target = fields.target.trim();
    const change = { name: fields.name.trim(), min_severity: fields.severity, ...(target ? { target } : {}) };
    await changeChannel(channel.id, change);
    await reload();
    toast("The channel is saved.");
  }

  return (
    <Confirm title={`Edit “${channel.name}”`} action="Save" run={save} onClose={onClose}>
      <ChannelFields
        fields={fields}
        kind={channel.kind}
        placeholder={`stays ${channel.target}`}
        change={(change) => setFields({ ...fields, ...change })}
      />
    </Confirm>
  );
}

function DeleteDialog({ channel: { id, name }, reload, onClose }: OneProps) {
  async function forget() {
    await deleteChannel(id);
    await reload();
    toast(`“${name}” is deleted.`);
  }

  return (
    <Confirm title={`Delete “${name}”?`} action="Delete" danger run={forget} onClose={onClose}>
      <p>It is told of nothing any more, of what waits for it neither.</p>
    </Confirm>
  );
}

function RotateDialog({ channel, onMade, onClose }: MakingProps & { channel: Channel }) {
  return (
    <Confirm
      title={`New secret of “${channel.name}”`}
      action="Make it"
      run={async () => onMade(await rotateSecret(channel.id))}
      onClose={onClose}
    >
      <p>Messages are signed with both for a day, so that the receiver can change over.</p>
    </Confirm>
  );
}
