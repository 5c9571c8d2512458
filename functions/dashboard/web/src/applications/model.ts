/** Applications and keys as the API gives them. */
import { get, patch, post, remove } from "../api";

export interface Limits {
  requests_per_second: number | null;
  bytes_per_second: number | null;
  bytes_per_day: number | null;
}

export interface Application {
  name: string;
  status: "active" | "disabled";
  limits: Limits;
  created_at: string;
  key_count: number;
}

export interface Key {
  key_id: string;
  description: string | null;
  scopes: string[];
  status: "active" | "expired" | "revoked";
  created_at: string;
  expires_at: string | null;
  rotated_to: string | null;
  last_used_at: string | null;
}

export type CreatedKey = Key & { key: string };

export interface Usage {
  application: string;
  limits: Record<keyof Limits, number>;
  bytes_today: number;
  requests_today: number;
  requests_left: number;
  bytes_left: number;
}

export interface NewKey {
  scopes: string[];
  description: string | null;
  expires_at: string | null;
}

export interface Change {
  name?: string;
  status?: Application["status"];
  limits?: Partial<Limits>;
}

const path = (name: string) => `api/applications/${encodeURIComponent(name)}`;

export const listApplications = async (signal: AbortSignal) =>
  (await get<{ applications: Application[] }>("api/applications", { signal })).applications;
export const showApplication = async (name: string, signal: AbortSignal) =>
  (await get<{ application: Application }>(path(name), { signal })).application;
export const createApplication = (name: string) => post("api/applications", { name });
export const changeApplication = (name: string, change: Change) => patch(path(name), change);
export const listKeys = async (name: string, signal: AbortSignal) =>
  (await get<{ keys: Key[] }>(`${path(name)}/keys`, { signal })).keys;
export const createKey = (name: string, key: NewKey) => post<CreatedKey>(`${path(name)}/keys`, key);
export const rotateKey = (keyId: string, overlapSeconds: number) =>
  post<CreatedKey>(`api/keys/${encodeURIComponent(keyId)}/rotate`, { overlap_seconds: overlapSeconds });
export const revokeKey = (keyId: string) => remove(`api/keys/${encodeURIComponent(keyId)}`);

/** By application; empty where it cannot be told: the page is of use without. */
export async function readUsage(signal: AbortSignal): Promise<Map<string, Usage>> {
  try {
    const { applications } = await get<{ applications: Usage[] }>("api/usage", { signal });
    return new Map(applications.map((usage) => [usage.application, usage]));
  } catch {
    return new Map();
  }
}
