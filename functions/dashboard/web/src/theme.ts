/** Light, dark, or whatever the system says; the choice is kept in this browser. */
import { computed, signal } from "@preact/signals";
import { remembered } from "./remembered";

export type Theme = "system" | "light" | "dark";

const STORED = remembered("sluice.theme");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(prefersDark.matches);
prefersDark.addEventListener("change", (event) => {
  systemIsDark.value = event.matches;
});

export const theme = signal<Theme>(read());
/** Whether the page is dark now. Charts read it to draw anew. */
export const isDark = computed(() => (theme.value === "system" ? systemIsDark.value : theme.value === "dark"));

export function applyTheme(): void {
  document.documentElement.dataset.theme = theme.value;
}

/** To the other of light and dark; back to the system's where that is the same. */
export function toggleTheme(): void {
  const dark = !isDark.value;
  theme.value = dark === systemIsDark.value ? "system" : dark ? "dark" : "light";
  STORED.set(theme.value);
  applyTheme();
}

/** The colour of a token such as `--level-error` as it is now, for canvases, which know no variables. */
export function tokenColour(token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function read(): Theme {
  const stored = STORED.get();
  return stored === "light" || stored === "dark" ? stored : "system";
}
