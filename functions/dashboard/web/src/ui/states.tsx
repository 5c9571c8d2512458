import type { ComponentChildren } from "preact";
import type { Problem } from "../api";
import { Button } from "./button";
import { Icon, type IconName } from "./icon";

interface Empty {
  title: string;
  icon?: IconName;
  children?: ComponentChildren;
  /** What to do about it. */
  action?: ComponentChildren;
}

export function EmptyState({ title, icon = "waves", children, action }: Empty) {
  return (
    <div class="state">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children && <div class="muted">{children}</div>}
      {action && <div class="state-action">{action}</div>}
    </div>
  );
}

/** A problem in place of what it kept from being shown. */
export function ErrorState({ problem, onRetry }: { problem: Problem; onRetry: () => void }) {
  return (
    <div class="state" role="alert">
      <Icon name="warning" />
      <h2>{TITLES[problem.status] ?? "That did not work"}</h2>
      <p class="muted">{problem.detail}</p>
      <div class="state-action">
        <Button icon="refresh" onClick={onRetry}>
          Try again
        </Button>
      </div>
      <p class="hint">
        <code>{problem.code}</code>
      </p>
    </div>
  );
}

const TITLES: Record<number, string> = {
  0: "No connection",
  403: "Your key does not allow that",
  404: "There is no such thing",
  429: "Too many requests",
  503: "Sluice is busy or being repaired",
};

/** Bars where `what` will be; after a moment only, so that quick answers do not flicker. */
export function Loading({ what, lines = 3 }: { what: string; lines?: number }) {
  return (
    <div class="loading" role="status">
      <span class="visually-hidden">Loading {what}…</span>
      {Array.from({ length: lines }, (_, at) => (
        <i key={at} />
      ))}
    </div>
  );
}
