/** Whether times are shown in UTC or as the reader's clock has them: a choice of this browser. */
import { signal } from "@preact/signals";
import { remembered } from "./remembered";
import type { Zone } from "./time";

const STORED = remembered("sluice.zone");

export const zone = signal<Zone>(STORED.get() === "utc" ? "utc" : "local");

export function chooseZone(chosen: Zone): void {
  zone.value = chosen;
  STORED.set(chosen);
}
