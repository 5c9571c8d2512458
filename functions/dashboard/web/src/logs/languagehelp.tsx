/** How a search is written, in the API's own words. */
import { useLoaded } from "../load";
import { Dialog, EmptyState, Loading } from "../ui";
import { writtenName } from "./language";
import { readLanguage } from "./vocabulary";

export function LanguageHelp({ onClose }: { onClose: () => void }) {
  const { value } = useLoaded(readLanguage, []);
  return (
    <Dialog title="How to search" onClose={onClose}>
      {!value ? (
        <Loading what="the query language" lines={8} />
      ) : value.operators.length === 0 ? (
        <EmptyState title="The server did not say" icon="warning">
          Close this and open it again.
        </EmptyState>
      ) : (
        <div class="logs-help">
          <dl>
            {value.operators.map(({ example, meaning }) => (
              <Entry key={example} code={example} meaning={meaning} />
            ))}
          </dl>
          <h3>Fields</h3>
          <dl>
            {value.fields.map(({ name, meaning }) => (
              <Entry key={name} code={writtenName(name)} meaning={meaning} />
            ))}
          </dl>
        </div>
      )}
    </Dialog>
  );
}

function Entry({ code, meaning }: { code: string; meaning: string }) {
  return (
    <div>
      <dt>
        <code>{code}</code>
      </dt>
      <dd>{meaning}</dd>
    </div>
  );
}
