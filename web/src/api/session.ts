// Who is logged in. The tokens lie in local storage, where all tabs find them; whichever tab first finds the access token
// spent has it renewed, once for all of them.
import type { components } from "../../contract";
import { Store } from "../store";

export type Person = components["schemas"]["Person"];
type Entry = components["schemas"]["Entry"];

export interface Session {
  accessToken: string;
  refreshToken: string;
  user: Person;
}

// `ended`: there was one, and the server takes it no more; whoever logs in again goes on where they stood.
export type SessionState = { kind: "none" | "ended" } | { kind: "open"; session: Session } | { kind: "local"; user: Person };

const KEY = "hansard.session";
const LOCK = "hansard.refresh";

export const base = new URL(".", document.baseURI).href.replace(/\/$/, "");

export const session = new Store<SessionState>(stored());

function stored(): SessionState {
  const text = localStorage.getItem(KEY);
  if (!text) return { kind: "none" };
  try {
    return { kind: "open", session: JSON.parse(text) as Session };
  } catch {
    return { kind: "none" };
  }
}

window.addEventListener("storage", (event) => {
  if (event.key === KEY || event.key === null) session.set(stored());
});

// Who is there, with a session or on a server without accounts.
export function person(state = session.get()): Person | undefined {
  return state.kind === "open" ? state.session.user : state.kind === "local" ? state.user : undefined;
}
export function accessToken(): string | undefined {
  const state = session.get();
  return state.kind === "open" ? state.session.accessToken : undefined;
}

function keep(opened: Session) {
  localStorage.setItem(KEY, JSON.stringify(opened));
  session.set({ kind: "open", session: opened });
}

export function open(entry: Entry) {
  keep({ accessToken: entry.access_token, refreshToken: entry.refresh_token, user: entry.user });
}

// A server without accounts: everyone on its machine is its first admin.
export function openLocal(user: Person) {
  session.set({ kind: "local", user });
}

export function renamed(user: Person) {
  const state = session.get();
  if (state.kind === "open") keep({ ...state.session, user });
}

export async function close() {
  const before = session.get();
  localStorage.removeItem(KEY);
  session.set({ kind: "none" });
  if (before.kind !== "open") return;
  await fetch(`${base}/api/v1/auth/logout`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${before.session.accessToken}` },
    body: JSON.stringify({ refresh_token: before.session.refreshToken }),
  }).catch(() => undefined);
}

// A newer access token than `spent`; nothing when the session is over. Throws where the server cannot be reached.
export async function renewed(spent: string): Promise<string | undefined> {
  return navigator.locks.request(LOCK, async () => {
    const now = stored();
    if (now.kind !== "open") return undefined;
    if (now.session.accessToken !== spent) {
      session.set(now);
      return now.session.accessToken;
    }
    const answer = await fetch(`${base}/api/v1/auth/refresh`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ refresh_token: now.session.refreshToken }),
    });
    if (answer.ok) {
      const entry = (await answer.json()) as Entry;
      open(entry);
      return entry.access_token;
    }
    if (answer.status === 401) {
      localStorage.removeItem(KEY);
      session.set({ kind: "ended" });
    }
    return undefined;
  });
}

// fetch() as whoever is logged in.
export async function authorizedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const token = accessToken();
  if (!token) return fetch(request);
  const again = request.clone();
  request.headers.set("Authorization", `Bearer ${token}`);
  const answer = await fetch(request);
  if (answer.status !== 401) return answer;
  const fresh = await renewed(token);
  if (!fresh) return answer;
  again.headers.set("Authorization", `Bearer ${fresh}`);
  return fetch(again);
}
