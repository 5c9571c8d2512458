/** Who is signed in. The session itself is a cookie that scripts cannot read. */
import { computed, signal } from "@preact/signals";
import { asProblem, get, type Problem, post, remove, whenSignedOut } from "./api";

export interface Session {
  application: string;
  scopes: string[];
  expires_at: string;
}

/** `undefined` until the server has said whether there is one. */
export const session = signal<Session | null | undefined>(undefined);
/** Why nobody is signed in, where that is not the visitor's own doing. */
export const signedOutBecause = signal<"expired" | Problem | null>(null);
export const isAdmin = computed(() => session.value?.scopes.includes("admin") ?? false);

whenSignedOut(() => {
  if (session.value) {
    session.value = null;
    signedOutBecause.value = "expired";
  }
});

/** Asks the server for the session of an earlier visit. */
export async function resumeSession(): Promise<void> {
  try {
    session.value = await get<Session>("api/session");
  } catch (error) {
    const problem = asProblem(error);
    session.value = null;
    signedOutBecause.value = problem.status === 401 ? null : problem;
  }
}

/** Rejects with a Problem: `invalid_key`, `missing_scope`, … */
export async function signIn(key: string): Promise<void> {
  session.value = await post<Session>("api/session", { key });
  signedOutBecause.value = null;
}

export async function signOut(): Promise<void> {
  await remove("api/session");
  session.value = null;
  signedOutBecause.value = null;
}
