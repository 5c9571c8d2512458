/** Who is signed in. The session itself is a cookie that scripts cannot read. */
import { computed, signal } from "@preact/signals";
import { asProblem, get, type Problem, post, remove, whenSignedOut } from "./api";
import { remembered } from "./remembered";

export interface Session {
  application: string;
  scopes: string[];
  expires_at: string;
}

/** `undefined` until the server has said whether there is one. */
export const session = signal<Session | null | undefined>(undefined);
/** Why nobody is signed in, where that is not the visitor's own doing. */
export const signedOutBecause = signal<"expired" | Problem | null>(null);
/** Whether rules, incidents and who is told may be changed. */
export const canAlert = computed(
  () => session.value?.scopes.some((scope) => scope === "alerts" || scope === "admin") ?? false,
);
export const isAdmin = computed(() => session.value?.scopes.includes("admin") ?? false);

// When this browser's session ends: scripts cannot see the cookie, and a visitor without one need not wait for a refusal.
const ENDS = remembered("sluice.session-ends");

whenSignedOut(() => {
  if (session.value) {
    end("expired");
  }
});

/** Asks the server for the session of an earlier visit. */
export async function resumeSession(): Promise<void> {
  if (ENDS.get() === null) {
    return end(null);
  }
  try {
    begin(await get<Session>("api/session"));
  } catch (error) {
    const problem = asProblem(error);
    if (problem.status === 401) {
      end("expired");
    } else {
      session.value = null;
      signedOutBecause.value = problem;
    }
  }
}

/** Rejects with a Problem: `invalid_key`, `missing_scope`, … */
export async function signIn(key: string): Promise<void> {
  begin(await post<Session>("api/session", { key }));
}

/** Rejects with a Problem; then one is still signed in. */
export async function signOut(): Promise<void> {
  await remove("api/session");
  end(null);
}

function begin(begun: Session): void {
  ENDS.set(begun.expires_at);
  session.value = begun;
  signedOutBecause.value = null;
}

function end(because: "expired" | null): void {
  ENDS.set(null);
  session.value = null;
  signedOutBecause.value = because;
}
