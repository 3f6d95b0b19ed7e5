// What happens on the server, as it happens. Browsers open few connections to one server, so one tab follows its events and
// tells the others; when it is closed, the next takes over.
import { Store } from "../store";
import { authorizedFetch, base, person, session } from "./session";

export interface ServerEvent {
  name: string;
  data: Record<string, unknown> & { id: string };
}

const channel = new BroadcastChannel("hansard.events");
const listeners = new Set<(event: ServerEvent) => void>();
// Whether the server was there when it was last asked.
export const reachable = new Store(true);

export function subscribeToEvents(listener: (event: ServerEvent) => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

type Message = { event: ServerEvent } | { reachable: boolean };
function take(message: Message) {
  if ("event" in message) for (const listener of listeners) listener(message.event);
  else if (reachable.get() !== message.reachable) reachable.set(message.reachable);
}
function tellAll(message: Message) {
  take(message);
  channel.postMessage(message);
}
channel.onmessage = ({ data }: MessageEvent<Message>) => take(data);

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// Calls `each` with every event of a text/event-stream; returns when it ends. `alive` is told of every byte.
async function read(body: ReadableStream<Uint8Array>, alive: () => void, each: (id: string, event: ServerEvent) => void) {
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      let name = "";
      let id = "";
      let data = "";
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("id: ")) id = line.slice(4);
        else if (line.startsWith("data: ")) data += line.slice(6);
      }
      if (name && data) each(id, { name, data: JSON.parse(data) as ServerEvent["data"] });
    }
  }
}

// The server says something every 15 s; a stream that is silent for longer is a dead one.
const SILENCE_MS = 40_000;

async function follow() {
  let last = "";
  let failures = 0;
  for (;;) {
    if (!person()) {
      await new Promise<void>((resolve) => {
        const stop = session.subscribe(() => {
          stop();
          resolve();
        });
      });
      continue;
    }
    const abort = new AbortController();
    let timer = window.setTimeout(() => abort.abort(), SILENCE_MS);
    const alive = () => {
      clearTimeout(timer);
      timer = window.setTimeout(() => abort.abort(), SILENCE_MS);
    };
    try {
      const answer = await authorizedFetch(`${base}/api/v1/events`, {
        headers: last ? { "Last-Event-ID": last } : {},
        signal: abort.signal,
      });
      if (answer.ok && answer.body) {
        failures = 0;
        tellAll({ reachable: true });
        tellAll({ event: { name: "stream.opened", data: { id: "" } } });
        await read(answer.body, alive, (id, event) => {
          if (id) last = id;
          if (event.name === "stream.reset") last = "";
          tellAll({ event });
        });
      } else if (answer.status >= 500) {
        failures += 1;
      } else {
        failures += 1;
        last = "";
      }
    } catch {
      failures += 1;
    } finally {
      clearTimeout(timer);
    }
    if (failures > 0) tellAll({ reachable: failures < 2 });
    await pause(Math.min(10_000, 300 * 2 ** failures));
  }
}

export function startFollowing() {
  void navigator.locks.request("hansard.events", follow);
}
