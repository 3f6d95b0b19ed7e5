// What somebody changed in a transcript and the server does not have yet. It is kept in this browser until the server has
// it, so that neither a closed tab nor a server that is gone loses a word; and nothing that came between is overwritten
// unseen: where two changed the same part, the one who came second is asked.
import type { QueryClient } from "@tanstack/react-query";
import { ask, isUnreachable, Refusal, type Segment, type Transcript } from "../api/client";
import { reachable } from "../api/events";
import { session } from "../api/session";
import { Store } from "../store";
import { messageOf } from "../ui/controls";

export interface Loaded {
  transcript: Transcript;
  etag: string;
}

export interface Change {
  text?: string;
  speaker?: string;
}
interface Pending extends Change {
  base: { text: string; speaker: string | undefined }; // what was there when it was changed
}
export interface Conflict {
  segment: string;
  mine: string;
  theirs: string;
}
export interface EditState {
  pending: ReadonlyMap<string, Pending>;
  conflicts: readonly Conflict[];
  saving: boolean;
  problem: string;
  undoable: number;
}
type Undo = { changes: Map<string, Change> } | { version: number };

const WAIT_MS = 700;
const AGAIN_MS = 4000;
const AT_ONCE = 500; // segments of one request

export async function loadTranscript(id: string): Promise<Loaded> {
  const answer = await ask(`/transcriptions/${id}/transcript`, { headers: { Accept: "application/json" } });
  return { transcript: (await answer.json()) as Transcript, etag: answer.headers.get("ETag") ?? "" };
}

export class Edits {
  readonly store = new Store<EditState>({ pending: new Map(), conflicts: [], saving: false, problem: "", undoable: 0 });
  private readonly undos: Undo[] = [];
  private timer: number | undefined;
  private readonly key: string;
  private readonly stopListening: () => void;

  constructor(
    private readonly id: string,
    private readonly client: QueryClient,
  ) {
    this.key = `hansard.edits.${id}`;
    try {
      const kept = JSON.parse(localStorage.getItem(this.key) ?? "[]") as [string, Pending][];
      if (kept.length > 0) {
        this.set({ pending: new Map(kept) });
        this.schedule();
      }
    } catch {
      localStorage.removeItem(this.key);
    }
    const stops = [
      reachable.subscribe(() => reachable.get() && this.schedule(0)),
      session.subscribe(() => session.get().kind === "open" && this.schedule(0)),
    ];
    this.stopListening = () => {
      for (const stop of stops) stop();
    };
  }

  // Whatever is not saved stays in this browser, and is sent when the transcript is opened again.
  end() {
    this.stopListening();
    clearTimeout(this.timer);
    void this.save();
  }

  private get state() {
    return this.store.get();
  }
  private set(part: Partial<EditState>) {
    if (part.pending) {
      if (part.pending.size > 0) localStorage.setItem(this.key, JSON.stringify([...part.pending]));
      else localStorage.removeItem(this.key);
    }
    this.store.set({ ...this.state, ...part, undoable: this.undos.length });
  }

  private loaded(): Loaded | undefined {
    return this.client.getQueryData<Loaded>(["transcript", this.id]);
  }
  private segments(): Map<string, Segment> {
    return new Map(this.loaded()?.transcript.segments.map((one) => [one.id, one]));
  }
  // A part's words as they are here.
  private text(id: string): string | undefined {
    return this.state.pending.get(id)?.text ?? this.segments().get(id)?.text;
  }

  private schedule(ms = WAIT_MS) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.save(), ms);
  }

  // Changes parts of the transcript. With `undo` it can be taken back as one; typing goes on with what was begun.
  change(changes: ReadonlyMap<string, Change>, undo: boolean) {
    const segments = this.segments();
    const pending = new Map(this.state.pending);
    const before = new Map<string, Change>();
    for (const [id, change] of changes) {
      const segment = segments.get(id);
      if (!segment) continue;
      const old = pending.get(id);
      before.set(id, {
        ...(change.text !== undefined ? { text: old?.text ?? segment.text } : {}),
        ...(change.speaker !== undefined ? { speaker: old?.speaker ?? segment.speaker ?? "" } : {}),
      });
      const next: Pending = { ...(old ?? { base: { text: segment.text, speaker: segment.speaker } }), ...change };
      const same =
        (next.text === undefined || next.text === segment.text) && (next.speaker === undefined || next.speaker === segment.speaker);
      // What is on its way may have arrived; then taking it back is a change of its own.
      if (same && !this.state.saving) pending.delete(id);
      else pending.set(id, next);
    }
    if (undo && before.size > 0) this.undos.push({ changes: before });
    this.set({ pending, problem: "" });
    this.schedule();
  }

  // Where typing in a part begins, so that one undo takes all of it back.
  beginTyping(id: string) {
    const text = this.text(id);
    if (text !== undefined) this.undos.push({ changes: new Map([[id, { text }]]) });
  }
  endTyping(id: string) {
    // Nothing was typed: there is nothing to take back.
    const at = this.undos.findLastIndex((one) => "changes" in one && one.changes.size === 1 && one.changes.has(id));
    const begun = this.undos[at];
    if (begun && "changes" in begun && begun.changes.get(id)?.text === this.text(id)) this.undos.splice(at, 1);
    this.set({});
    this.schedule(0);
  }

  async undo(): Promise<boolean> {
    const last = this.undos.pop();
    if (!last) return false;
    if ("changes" in last) this.change(last.changes, false);
    else await this.send(`/transcriptions/${this.id}/transcript:restore`, "POST", { version: last.version });
    this.set({});
    return true;
  }

  settle(conflict: Conflict, keepMine: boolean) {
    const pending = new Map(this.state.pending);
    const segment = this.segments().get(conflict.segment);
    const mine = pending.get(conflict.segment);
    if (keepMine && mine && segment) pending.set(conflict.segment, { ...mine, base: { text: segment.text, speaker: segment.speaker } });
    else pending.delete(conflict.segment);
    this.set({ pending, conflicts: this.state.conflicts.filter((one) => one.segment !== conflict.segment) });
    this.schedule(0);
  }

  // A newer version came: what is pending is laid onto it, or asked about.
  private rebase() {
    const segments = this.segments();
    const pending = new Map<string, Pending>();
    const conflicts: Conflict[] = [];
    for (const [id, mine] of this.state.pending) {
      const segment = segments.get(id);
      if (mine.text !== undefined && (!segment || (segment.text !== mine.base.text && segment.text !== mine.text))) {
        conflicts.push({ segment: id, mine: mine.text, theirs: segment?.text ?? "" });
        pending.set(id, mine);
        continue;
      }
      if (!segment) continue;
      const { text, speaker } = mine;
      const rest: Pending = {
        base: { text: segment.text, speaker: segment.speaker },
        ...(text !== undefined && text !== segment.text ? { text } : {}),
        ...(speaker !== undefined && speaker !== segment.speaker ? { speaker } : {}),
      };
      if (rest.text !== undefined || rest.speaker !== undefined) pending.set(id, rest);
    }
    this.set({ pending, conflicts });
  }
  // Called whenever another version of the transcript was loaded.
  renewed() {
    if (this.state.pending.size > 0 && !this.state.saving) {
      this.rebase();
      this.schedule();
    }
  }

  // Sends now what is not sent yet; whether the server has all of it then.
  async flush(): Promise<boolean> {
    clearTimeout(this.timer);
    while (this.state.saving) {
      await new Promise<void>((resolve) => {
        const stop = this.store.subscribe(() => {
          stop();
          resolve();
        });
      });
    }
    await this.save();
    return this.state.pending.size === 0;
  }

  private async save(): Promise<void> {
    if (this.state.saving || !this.loaded()) return;
    const conflicted = new Set(this.state.conflicts.map((one) => one.segment));
    const sent = [...this.state.pending].filter(([id]) => !conflicted.has(id)).slice(0, AT_ONCE);
    if (sent.length === 0) return;
    this.set({ saving: true });
    try {
      await this.send(`/transcriptions/${this.id}/transcript`, "PATCH", {
        segments: sent.map(([id, { text, speaker }]) => ({
          id,
          ...(text !== undefined ? { text } : {}),
          ...(speaker ? { speaker } : {}),
        })),
      });
      const pending = new Map(this.state.pending);
      for (const [id, was] of sent) {
        // What was typed meanwhile is sent next.
        if (pending.get(id) === was) pending.delete(id);
      }
      this.set({ pending, saving: false, problem: "" });
      if (pending.size > 0) {
        this.rebase();
        this.schedule();
      }
    } catch (error) {
      this.set({ saving: false });
      if (error instanceof Refusal && error.status === 412) {
        await this.client.fetchQuery({ queryKey: ["transcript", this.id], queryFn: () => loadTranscript(this.id), staleTime: 0 });
        this.rebase();
        this.schedule();
      } else if (isUnreachable(error) || (error instanceof Refusal && (error.status >= 500 || error.status === 401 || error.status === 429))) {
        if (error instanceof Refusal && error.status !== 401) this.set({ problem: messageOf(error) });
        this.schedule(AGAIN_MS);
      } else {
        this.set({ problem: messageOf(error) });
      }
    }
  }

  // Changes the transcript on the server, if it still is the one that is shown here.
  private async send(path: string, method: string, body: unknown): Promise<void> {
    const answer = await ask(path, {
      method,
      headers: { "Content-Type": "application/json", ...(this.loaded() ? { "If-Match": this.loaded()?.etag ?? "" } : {}) },
      body: JSON.stringify(body),
    });
    const transcript = (await answer.json()) as Transcript;
    this.client.setQueryData<Loaded>(["transcript", this.id], { transcript, etag: answer.headers.get("ETag") ?? "" });
    void this.client.invalidateQueries({ queryKey: ["versions", this.id] });
  }

  // Changes that are not of one part's words: names, merges, cuts. What was typed before goes first.
  async restructure(path: string, method: string, body: unknown): Promise<void> {
    clearTimeout(this.timer);
    await this.save();
    const versions = (await (await ask(`/transcriptions/${this.id}/transcript/versions`)).json()) as { items: { version: number }[] };
    const newest = Math.max(...versions.items.map((one) => one.version));
    try {
      await this.send(`/transcriptions/${this.id}${path}`, method, body);
      this.undos.push({ version: newest });
      this.set({ problem: "" });
    } catch (error) {
      if (error instanceof Refusal && error.status === 412) {
        await this.client.invalidateQueries({ queryKey: ["transcript", this.id] });
      }
      throw error;
    }
  }
}
