import { readUsage } from "../applications/model";
import { useLoaded } from "../load";
import { isAdmin } from "../session";
import { Field } from "../ui";

interface Props {
  application: string;
  choose: (name: string) => void;
}

/** Whose it will be; other keys than an administrator's make things for their own application alone. */
export function ApplicationChoice({ application, choose }: Props) {
  return isAdmin.value ? <Choice application={application} choose={choose} /> : null;
}

function Choice({ application, choose }: Props) {
  const usage = useLoaded(readUsage, []);
  const names = [...new Set([application, ...(usage.value?.keys() ?? [])])].sort();
  return (
    <Field label="Application">
      {(attributes) => (
        <select {...attributes} value={application} onChange={(event) => choose(event.currentTarget.value)}>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** The member of a request that names it. */
export const ofApplication = (application: string) => (isAdmin.value ? { application } : {});
