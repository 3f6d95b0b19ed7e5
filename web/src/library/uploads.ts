// Recordings on their way to the server, in parts: what has arrived stays there, so that an upload that broke off goes on
// where it was, also after the page was closed and the same file is chosen again.
import { api, isUnreachable, ok, Refusal, refusal, type FileItem } from "../api/client";
import { reachable } from "../api/events";
import { accessToken, base, renewed } from "../api/session";
import { Store, useStore } from "../store";
import { transcribeFile, type Wanted } from "./choices";

export interface Upload {
  key: string;
  name: string;
  size: number;
  sent: number;
  state: "sending" | "waiting" | "checking" | "queueing" | "failed";
  problem?: unknown; // why it failed
  again?: () => void; // where another try may help
}

const KEY = "hansard.uploads";
const ATONCE = 2;
const AGAIN_MS = 3000;
const QUEUE_MS = 10_000;

const uploads = new Store<Upload[]>([]);
const abandoned = new Set<string>();
const stops = new Map<string, () => void>();

function change(key: string, part: Partial<Upload>) {
  uploads.set(uploads.get().map((one) => (one.key === key ? { ...one, ...part } : one)));
}
const forget = (key: string) => uploads.set(uploads.get().filter((one) => one.key !== key));

export const useUploads = () => useStore(uploads);

// The same file has the same name, size and time.
const keyOf = (file: File) => `${file.name}:${file.size}:${file.lastModified}`;
function begun(): Record<string, string> {
  return JSON.parse(localStorage.getItem(KEY) ?? "{}") as Record<string, string>;
}
function remember(key: string, id: string | undefined) {
  const all = begun();
  if (id) all[key] = id;
  else delete all[key];
  localStorage.setItem(KEY, JSON.stringify(all));
}

// Bytes with progress, which fetch() has not.
function put(url: string, token: string | undefined, bytes: Blob, key: string, onProgress: (sent: number) => void) {
  return new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      let body: unknown;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        body = undefined;
      }
      resolve({ status: request.status, body });
    };
    request.onerror = () => reject(new TypeError("unreachable"));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    stops.set(key, () => request.abort());
    request.send(bytes);
  });
}

async function putPart(id: string, number: number, bytes: Blob, key: string, onProgress: (sent: number) => void) {
  const url = `${base}/api/v1/uploads/${id}/parts/${number}`;
  let token = accessToken();
  let answer = await put(url, token, bytes, key, onProgress);
  if (answer.status === 401 && token) {
    token = await renewed(token);
    if (token) answer = await put(url, token, bytes, key, onProgress);
  }
  if (answer.status !== 200) throw refusal(new Response(null, { status: answer.status }), answer.body);
}

function reachableAgain(ms = AGAIN_MS): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    const stop = reachable.subscribe(() => reachable.get() && done());
    function done() {
      clearTimeout(timer);
      stop();
      resolve();
    }
  });
}

async function send(file: File, key: string): Promise<FileItem> {
  const known = begun()[key];
  let upload = known
    ? await ok(api.GET("/api/v1/uploads/{id}", { params: { path: { id: known } } })).catch((error: unknown) => {
        if (isUnreachable(error)) throw error;
        return undefined;
      })
    : undefined;
  upload ??= await ok(api.POST("/api/v1/uploads", { body: { name: file.name, size_bytes: file.size } }));
  remember(key, upload.id);
  const there = new Set(upload.parts.map((part) => part.number));
  let arrived = upload.received_bytes;
  change(key, { sent: arrived });
  for (let number = 1; number <= upload.part_count; number += 1) {
    if (there.has(number)) continue;
    if (abandoned.has(key)) throw new DOMException("", "AbortError");
    const bytes = file.slice((number - 1) * upload.part_bytes, number * upload.part_bytes);
    const before = arrived;
    await putPart(upload.id, number, bytes, key, (sent) => change(key, { sent: Math.min(file.size, before + sent) }));
    arrived += bytes.size;
    change(key, { sent: arrived });
  }
  change(key, { state: "checking" });
  return ok(api.POST("/api/v1/uploads/{id}:complete", { params: { path: { id: upload.id } } }));
}

async function sendUntilThere(file: File, key: string): Promise<FileItem> {
  for (;;) {
    try {
      change(key, { state: "sending" });
      return await send(file, key);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      change(key, { state: "waiting" });
      await reachableAgain();
      if (abandoned.has(key)) throw new DOMException("", "AbortError");
    }
  }
}

// The queue may be full for now: a folder of thousands waits until there is room.
async function queue(fileId: string, wanted: Wanted, key: string) {
  for (;;) {
    try {
      await transcribeFile(fileId, wanted);
      return;
    } catch (error) {
      if (!isUnreachable(error) && !(error instanceof Refusal && error.status === 429)) throw error;
      change(key, { state: "queueing" });
      await reachableAgain(QUEUE_MS);
      if (abandoned.has(key)) throw new DOMException("", "AbortError");
    }
  }
}

let line: Promise<void>[] = [];

// Sends a recording and has it transcribed. Two are sent at once, the others wait.
export async function transcribe(file: File, wanted: Wanted, queued: () => void) {
  const key = keyOf(file);
  if (uploads.get().some((one) => one.key === key && one.state !== "failed")) return;
  abandoned.delete(key);
  forget(key);
  uploads.set([...uploads.get(), { key, name: file.name, size: file.size, sent: 0, state: "waiting" }]);
  while (line.length >= ATONCE) await Promise.race(line);
  const work = (async () => {
    try {
      const recording = await sendUntilThere(file, key);
      await queue(recording.id, wanted, key);
      remember(key, undefined);
      forget(key);
      queued();
    } catch (error) {
      if (error instanceof DOMException) forget(key);
      else {
        // What is no recording stays none.
        const passes = !(error instanceof Refusal) || error.status >= 500 || error.status === 429;
        change(key, { state: "failed", problem: error, ...(passes ? { again: () => void transcribe(file, wanted, queued) } : {}) });
      }
    }
  })();
  line.push(work);
  await work;
  line = line.filter((one) => one !== work);
}

export async function abandon(key: string) {
  abandoned.add(key);
  stops.get(key)?.();
  const id = begun()[key];
  remember(key, undefined);
  forget(key);
  if (id) await api.DELETE("/api/v1/uploads/{id}", { params: { path: { id } } }).catch(() => undefined);
}

window.addEventListener("beforeunload", (event) => {
  if (uploads.get().some((one) => one.state === "sending")) event.preventDefault();
});
