/** Most frequent values, kept for a while: the sidebar and the completion ask for the same ones. */
import { get } from "../api";
import type { Facet } from "./model";
import { filtersOf } from "./url";

const KEPT_MILLISECONDS = 30_000;
const MAX_KEPT = 200;
const kept = new Map<string, { at: number; facet: Promise<Facet> }>();

/** Rejects with a Problem. */
export function readFacet(
  field: string,
  filters: { q?: string; since: string; until: string },
  limit: number,
): Promise<Facet> {
  const query = { field, limit, ...filtersOf({ q: "", ...filters }) };
  const key = JSON.stringify(query);
  const known = kept.get(key);
  if (known && Date.now() - known.at < KEPT_MILLISECONDS) {
    return known.facet;
  }
  const facet = get<Facet>("api/facets", { query });
  kept.set(key, { at: Date.now(), facet });
  facet.catch(() => kept.delete(key));
  if (kept.size > MAX_KEPT) {
    kept.delete(kept.keys().next().value!);
  }
  return facet;
}

/** After a fresh search, what was counted before is old. */
export function forgetFacets(): void {
  kept.clear();
}
