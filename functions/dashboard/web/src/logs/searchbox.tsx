import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Button, Icon } from "../ui";
import { type Offer, offersFor } from "./completion";
import { completionAt, type Token, tokenise } from "./language";
import { LanguageHelp } from "./languagehelp";
import { isSearching, mistake } from "./search";
import { ask, view } from "./view";

export const SEARCH_ID = "log-search";

/** The query: coloured as one types, completed from what is stored, its mistakes underlined. */
export function SearchBox() {
  const [draft, setDraft] = useState(view.value.q);
  const [caret, setCaret] = useState<number | null>(null);
  const [chosen, setChosen] = useState(-1);
  const [isHelp, setHelp] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const offers = useOffers(draft, caret);
  useEffect(() => setDraft(view.value.q), [view.value.q]);
  const shown = mistake.value?.query === draft ? mistake.value : null;

  function change(text: string, at: number | null) {
    setDraft(text);
    setCaret(at);
    setChosen(-1);
  }

  function take(offer: Offer) {
    const text = draft.slice(0, offer.start) + offer.text + draft.slice(offer.end);
    const at = offer.start + offer.text.length;
    const field = input.current!;
    field.value = text; // at once: the next key must not find the caret elsewhere
    field.setSelectionRange(at, at);
    change(text, at);
  }

  function submit() {
    setCaret(null);
    ask({ q: draft.trim() });
  }

  function onKeyDown(event: KeyboardEvent) {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const offer = offers[chosen] ?? (event.key === "Tab" ? offers[0] : undefined);
    if (step && caret === null) {
      setCaret(input.current?.selectionStart ?? draft.length);
    } else if (step && offers.length > 0) {
      setChosen((chosen + step + offers.length + (chosen < 0 && step < 0 ? 1 : 0)) % offers.length);
    } else if (offer && !event.shiftKey && (event.key === "Tab" || event.key === "Enter")) {
      take(offer);
    } else if (event.key === "Enter") {
      submit();
    } else if (event.key === "Escape") {
      return caret === null ? input.current?.blur() : setCaret(null);
    } else {
      return;
    }
    event.preventDefault();
  }

  return (
    <div class="logs-search-box">
      <Icon name="search" />
      <div class="logs-search-text">
        <Highlighted query={draft} mistakeAt={shown?.at ?? null} input={input} />
        <input
          ref={input}
          id={SEARCH_ID}
          role="combobox"
          aria-label="Search logs"
          aria-expanded={offers.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={offers[chosen] ? `${list}-${chosen}` : undefined}
          aria-invalid={shown ? "true" : undefined}
          aria-describedby={shown ? `${list}-mistake` : undefined}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          maxLength={4_096}
          placeholder={'level:error "connection refused" -healthcheck'}
          value={draft}
          onInput={(event) => change(event.currentTarget.value, event.currentTarget.selectionStart)}
          onKeyDown={onKeyDown}
          onClick={(event) => setCaret(event.currentTarget.selectionStart)}
          onBlur={() => setCaret(null)}
        />
      </div>
      {draft && <Button quiet icon="close" label="Clear the search" onClick={() => ask({ q: "" })} />}
      <Button quiet icon="help" label="How to search" onClick={() => setHelp(true)} />
      <Button primary label="Search" icon={isSearching.value ? "refresh" : "enter"} onClick={submit} />
      {isHelp && <LanguageHelp onClose={() => setHelp(false)} />}
      <Offers id={list} offers={offers} chosen={chosen} onTake={take} />
      {shown && offers.length === 0 && (
        <p class="logs-search-mistake" id={`${list}-mistake`} role="alert">
          <b>At character {shown.at + 1}:</b> {shown.detail}
        </p>
      )}
    </div>
  );
}

interface ListProps {
  id: string;
  offers: Offer[];
  chosen: number;
  onTake: (offer: Offer) => void;
}

function Offers({ id, offers, chosen, onTake }: ListProps) {
  return (
    <div id={id} class="logs-offers" role="listbox" aria-label="Completions" hidden={offers.length === 0}>
      {offers.map((offer, at) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the combobox has the keys
        <div
          key={offer.text}
          id={`${id}-${at}`}
          role="option"
          aria-selected={at === chosen}
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => onTake(offer)}
        >
          <span class="logs-offer-text">{offer.text}</span>
          <span class="logs-offer-note">{offer.note}</span>
        </div>
      ))}
    </div>
  );
}

/** The query in colours, right behind the input's transparent text. */
function Highlighted({
  query,
  mistakeAt,
  input,
}: {
  query: string;
  mistakeAt: number | null;
  input: { current: HTMLInputElement | null };
}) {
  const layer = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const field = input.current!;
    const follow = () => {
      layer.current!.scrollLeft = field.scrollLeft;
    };
    follow();
    field.addEventListener("scroll", follow);
    return () => field.removeEventListener("scroll", follow);
  });
  const end = mistakeAt === null ? -1 : mistakeEnd(query, mistakeAt);
  return (
    <div class="logs-highlighted" aria-hidden="true" ref={layer}>
      {tokenise(query).map((token) => (
        <TokenText key={token.start} token={token} from={mistakeAt} to={end} />
      ))}
      {mistakeAt !== null && mistakeAt >= query.length && <span class="logs-mistaken is-last"> </span>}
    </div>
  );
}

function TokenText({ token, from, to }: { token: Token; from: number | null; to: number }) {
  const { text, kind, start } = token;
  if (from === null || to <= start || from >= start + text.length) {
    return <span class={`logs-token-${kind}`}>{text}</span>;
  }
  const [first, last] = [Math.max(0, from - start), Math.min(text.length, to - start)];
  return (
    <span class={`logs-token-${kind}`}>
      {text.slice(0, first)}
      <span class="logs-mistaken">{text.slice(first, last)}</span>
      {text.slice(last)}
    </span>
  );
}

/** A mistake goes on to the end of the piece it begins in. */
function mistakeEnd(query: string, at: number): number {
  const token = tokenise(query).find(({ start, text }) => at >= start && at < start + text.length);
  return token ? token.start + token.text.length : at + 1;
}

/** Offers for the term at the caret, as soon as they are known. */
function useOffers(draft: string, caret: number | null): Offer[] {
  const [offers, setOffers] = useState<Offer[]>([]);
  useEffect(() => {
    const wanted = caret === null ? null : completionAt(draft, caret);
    if (!wanted) {
      setOffers([]);
      return undefined;
    }
    let isCurrent = true;
    void offersFor(wanted, view.value).then((found) => isCurrent && setOffers(found));
    return () => {
      isCurrent = false;
    };
  }, [draft, caret]);
  return offers;
}
