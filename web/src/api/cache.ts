// What the server tells of, put into what was asked of it before.
import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import { startFollowing, subscribeToEvents, type ServerEvent } from "./events";
import { person, session } from "./session";
import type { Segment, Transcription } from "./client";

type Page = { items: Transcription[]; next_cursor: string | null };

// The segments of what is in work, as they come.
export const segmentsKey = (id: string) => ["segments", id] as const;

const LIST_MS = 400;
const ENDED = new Set<string>(["completed", "failed", "canceled"]);


export function followIntoCache(client: QueryClient) {
  let timer: number | undefined;
  function renewLists() {
    // Many things happen at once when a folder is dropped.
    timer ??= window.setTimeout(() => {
      timer = undefined;
      void client.invalidateQueries({ queryKey: ["transcriptions"] });
    }, LIST_MS);
  }

  // Progress is told apart from states, and may come after the last of them.
  const progressed = (old: Transcription, part: Partial<Transcription>): Transcription =>
    ENDED.has(old.status) && (part.attempt ?? 0) <= old.attempt ? old : { ...old, ...part };

  function patch(id: string, part: Partial<Transcription>) {
    client.setQueryData<Transcription>(["transcription", id], (old) => old && progressed(old, part));
    client.setQueriesData<InfiniteData<Page>>({ queryKey: ["transcriptions"] }, (old) => {
      if (!old?.pages.some((page) => page.items.some((item) => item.id === id))) return old;
      return {
        ...old,
        pages: old.pages.map((page) => ({
          ...page,
          items: page.items.map((item) => (item.id === id ? progressed(item, part) : item)),
        })),
      };
    });
  }

  function take({ name, data }: ServerEvent) {
    if (name === "stream.opened" || name === "stream.reset") {
      // Whatever was missed; sound and old versions stay what they are.
      void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "waveform" && queryKey[0] !== "version" });
      return;
    }
    if (name === "transcription.progress") {
      patch(data.id, {
        status: "processing",
        progress: data.progress as number,
        progress_stage: data.stage as Transcription["progress_stage"],
        attempt: data.attempt as number,
        ...("eta_seconds" in data ? { eta_seconds: data.eta_seconds as number | null } : {}),
      });
    } else if (name === "transcription.segment") {
      const segment = data.segment as Segment;
      client.setQueryData<{ attempt: number; segments: Segment[] }>(segmentsKey(data.id), (old) => {
        const attempt = data.attempt as number;
        const before = old?.attempt === attempt ? old.segments : [];
        if (before.some((one) => one.id === segment.id)) return old;
        return { attempt, segments: [...before, segment] };
      });
    } else if (name.startsWith("transcription.")) {
      void client.invalidateQueries({ queryKey: ["transcription", data.id] });
      if (name === "transcription.updated") void client.invalidateQueries({ queryKey: ["transcript", data.id] });
      renewLists();
    } else if (name.startsWith("file.")) {
      void client.invalidateQueries({ queryKey: ["files"] });
    } else if (name.startsWith("model.")) {
      if (name === "model.progress") client.setQueryData(["installing", data.id], data);
      else {
        client.setQueryData(["installing", data.id], null);
        void client.invalidateQueries({ queryKey: ["models"] });
      }
    }
  }

  subscribeToEvents(take);
  // Nothing of one person is shown to the next; whoever comes back finds what they left.
  let who = person()?.id;
  session.subscribe(() => {
    if (session.get().kind === "ended") return;
    const now = person()?.id;
    if (who !== now && who !== undefined) client.clear();
    who = now;
  });
  startFollowing();
}
