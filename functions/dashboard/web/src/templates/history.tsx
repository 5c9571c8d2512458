import { link } from "../router";
import { isAdmin } from "../session";
import { Button, RelativeTime, Table, TemplateText, toast, toastProblem } from "../ui";
import { type Changed, changeTemplate, type Edit, type Member } from "./model";

interface MembersProps {
  root: number;
  members: Member[];
  reload: () => Promise<void>;
}

/** Which templates count as this one, and who said so. */
export function Members({ root, members, reload }: MembersProps) {
  async function part({ id, merged_by }: Member) {
    try {
      await changeTemplate(id, merged_by === "person" ? { merged_into: null } : { split: true });
      await reload();
      toast(`Template ${id} counts by itself again.`);
    } catch (error) {
      toastProblem(error);
    }
  }

  return (
    <section class="card" aria-label="Members">
      <div class="card-head">
        <h2>{members.length} templates count as one</h2>
      </div>
      <Table
        caption="Members"
        rows={members}
        rowKey={({ id }) => id}
        columns={[
          { title: "Template", wraps: true, cell: ({ text }) => <TemplateText text={text} /> },
          {
            title: "Merged by",
            cell: ({ id, merged_by }) =>
              id === root ? (
                <span class="muted">the one they lead to</span>
              ) : merged_by === "person" ? (
                "a person"
              ) : (
                "the miner"
              ),
          },
          { title: "First seen", wideOnly: true, cell: ({ created_at }) => <RelativeTime at={created_at} /> },
          {
            title: "Actions",
            head: null,
            cell: (member) =>
              isAdmin.value &&
              member.merged_by && (
                <div class="row-actions">
                  <Button onClick={() => part(member)}>{member.merged_by === "person" ? "Part" : "Split off"}</Button>
                </div>
              ),
          },
        ]}
      />
    </section>
  );
}

export function History({ changes }: { changes: Changed[] }) {
  return (
    <section class="card panel" aria-label="History">
      <h2>History</h2>
      {changes.length === 0 ? (
        <p class="muted">
          Nobody has changed it. Keys with the scope admin can name, ignore and merge it; what they do is noted here.
        </p>
      ) : (
        <ol class="templates-changes">
          {changes.map((change) => (
            <li key={change.change_id}>
              <RelativeTime at={change.changed_at} /> <code>{change.key_id}</code>{" "}
              {sentences(change).map((sentence, at) => (
                <span key={at}>
                  {at > 0 && ", "}
                  {sentence}
                </span>
              ))}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** What was done, e.g. "named it “Payment declined”". */
function sentences({ template_id, was, became }: Changed) {
  const done = [];
  if ("name" in became) {
    done.push(became.name ? `named it “${became.name}”` : `took the name “${was.name}” away`);
  }
  if ("is_ignored" in became) {
    done.push(became.is_ignored ? "ignored it" : "showed it again");
  }
  if ("is_split" in became) {
    done.push(
      became.is_split ? `split template ${template_id} off` : `left template ${template_id} to the miner again`,
    );
  }
  if ("merged_into" in became) {
    done.push(<Merged id={template_id} was={was} became={became} />);
  }
  return done;
}

function Merged({ id, was, became }: { id: number; was: Edit; became: Edit }) {
  const other = became.merged_into ?? was.merged_into;
  return (
    <>
      {became.merged_into ? "merged" : "parted"} template {id} {became.merged_into ? "into" : "from"}{" "}
      <a href={link(`templates/${other}`)}>{other}</a>
    </>
  );
}
