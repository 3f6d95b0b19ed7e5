// The server's interface, with the types of its contract.
import createClient from "openapi-fetch";
import type { components, paths } from "../../contract";
import { authorizedFetch, base } from "./session";

type Schemas = components["schemas"];
export type Transcription = Schemas["Transcription"];
export type Transcript = Schemas["Transcript"];
export type Segment = Transcript["segments"][number];
export type Word = Transcript["words"][number];
export type FileItem = Schemas["File"];
export type Model = Schemas["Model"];
export type Options = Schemas["Options"];
export type Profile = Schemas["Profile"];
export type Webhook = Schemas["Webhook"];
export type WebhookEvent = Schemas["WebhookEvent"];
export type Delivery = Schemas["Delivery"];
export type SessionItem = Schemas["Session"];
export type User = Schemas["User"];
export type UserChange = Schemas["UserChange"];

export const api = createClient<paths>({ baseUrl: base, fetch: (request) => authorizedFetch(request) });

// What the server refused, in its own words.
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

export function refusal(response: Response, error: unknown): Refusal {
  const problem = (error as { error?: { code?: string; message?: string; field?: string | null } } | undefined)?.error;
  return new Refusal(response.status, problem?.code ?? "INTERNAL", problem?.message ?? response.statusText, problem?.field ?? undefined);
}

// The body of a good answer; a bad one is thrown as a Refusal.
export async function ok<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw refusal(response, error);
  return data as T;
}

// For what the typed client does not do: formats other than JSON, and headers of the answer.
export async function ask(path: string, init?: RequestInit): Promise<Response> {
  const response = await authorizedFetch(`${base}/api/v1${path}`, init);
  if (!response.ok && response.status !== 304) throw refusal(response, await response.json().catch(() => undefined));
  return response;
}

// Not the server's word, but that none came.
export const isUnreachable = (error: unknown) => error instanceof TypeError;
