import { useLoaded } from "../load";
import { link } from "../router";
import { RelativeTime, SafeText, Table } from "../ui";
import { type Delivery, listDeliveries } from "./model";

const KINDS: Record<Delivery["status"], string> = {
  delivered: "good",
  failed: "bad",
  pending: "caution",
  held: "caution",
  silenced: "",
  skipped: "",
};

/** Who was told of an incident, and how that went. */
export function Deliveries({ incident, events }: { incident: string; events: number }) {
  const deliveries = useLoaded((signal) => listDeliveries(incident, signal), [incident, events]);
  const { value, problem } = deliveries;
  return (
    <section class="card" aria-label="Who was told">
      <div class="card-head">
        <h2>Who was told</h2>
      </div>
      {value && value.length > 0 ? (
        <Table
          caption="Deliveries"
          rows={value}
          rowKey={({ event, channel }) => `${event} ${channel.id}`}
          columns={[
            { title: "Channel", cell: ({ channel: { name } }) => <SafeText text={name} /> },
            { title: "Message", cell: ({ kind }) => kind },
            {
              title: "Status",
              cell: ({ status, reason, last_attempt }) => (
                <span class={`badge ${KINDS[status]}`} title={last_attempt?.detail ?? undefined}>
                  {[status, reason ?? (status === "failed" && last_attempt?.code)].filter(Boolean).join(": ")}
                </span>
              ),
            },
            { title: "Attempts", numeric: true, wideOnly: true, cell: ({ attempts }) => attempts },
            {
              title: "When",
              cell: ({ last_attempt, decided_at }) => <RelativeTime at={last_attempt?.at ?? decided_at} />,
            },
          ]}
        />
      ) : (
        <p class="alerts-nobody muted">
          {problem ? (
            problem.detail
          ) : value ? (
            <>
              Nobody yet. <a href={link("alerts/channels")}>Channels</a> say who is.
            </>
          ) : (
            "…"
          )}
        </p>
      )}
    </section>
  );
}
