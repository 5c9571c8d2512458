import { useState } from "preact/hooks";
import { asProblem, type Problem } from "../api";
import { bytes, figure } from "../figures";
import { Button, Field, toast } from "../ui";
import { type Application, changeApplication, type Limits, type Usage } from "./model";

interface Props {
  application: Application;
  /** What holds: the application's own limits, or the deployment's. */
  effective: Usage["limits"] | undefined;
  reload: () => Promise<void>;
}

const FIELDS: { name: keyof Limits; label: string; unit: number; text: (value: number) => string }[] = [
  { name: "requests_per_second", label: "Requests per second", unit: 1, text: figure },
  { name: "bytes_per_second", label: "KiB per second", unit: 1_024, text: (value) => bytes(value) },
  { name: "bytes_per_day", label: "MiB per day (UTC)", unit: 1_048_576, text: (value) => bytes(value) },
];

export function LimitsForm({ application, effective, reload }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  async function save(event: SubmitEvent) {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    try {
      await changeApplication(application.name, { limits: changed(application.limits, form) });
      await reload();
      setProblem(null);
      toast("The limits are saved; they hold within 15 seconds.");
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  }

  return (
    <section class="card panel" aria-label="Limits">
      <h2>Limits</h2>
      <form class="applications-limits" onSubmit={save}>
        {FIELDS.map(({ name, label, unit, text }) => (
          <Field key={name} label={label}>
            {(attributes) => (
              <input
                {...attributes}
                name={name}
                inputMode="decimal"
                autocomplete="off"
                placeholder={
                  effective && application.limits[name] === null ? `default: ${text(effective[name])}` : "default"
                }
                defaultValue={application.limits[name] === null ? "" : String(application.limits[name] / unit)}
              />
            )}
          </Field>
        ))}
        <div class="applications-limits-save">
          <Button type="submit" busy={busy}>
            Save limits
          </Button>
        </div>
      </form>
      {problem ? (
        <p class="field-error" role="alert">
          {problem.detail}
        </p>
      ) : (
        <p class="hint">An empty field takes the deployment's default. What is over a limit is answered 429.</p>
      )}
    </section>
  );
}

/** The limits that the form says differently. What is no number is sent as it is, for the API to refuse. */
function changed(limits: Limits, form: FormData): Partial<Limits> {
  const entries = FIELDS.map(({ name, unit }) => {
    const text = String(form.get(name)).trim();
    const value = Number(text.replaceAll(",", ""));
    return [name, text === "" ? null : Number.isFinite(value) ? Math.round(value * unit) : text] as const;
  });
  return Object.fromEntries(entries.filter(([name, value]) => value !== limits[name])) as Partial<Limits>;
}
