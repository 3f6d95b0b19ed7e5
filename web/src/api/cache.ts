// What the server tells of, put into what was asked of it before.
import type { InfiniteData, Query, QueryClient } from "@tanstack/react-query";
import { startFollowing, subscribeToEvents, type ServerEvent } from "./events";
import { person, session } from "./session";
import { api, type Segment, type Transcription } from "./client";

type Page = { items: Transcription[]; next_cursor: string | null };

// The segments of what is in work, as they come.
export const segmentsKey = (id: string) => ["segments", id] as const;

const LIST_MS = 400;
const ENDED = new Set<string>(["completed", "failed", "canceled"]);

export function followIntoCache(client: QueryClient) {
  const inLists = { queryKey: ["transcriptions"] };
  let timer: number | undefined;
  // All lists, or those that show a part of all: what has changed may belong there no more.
  let all = false;
  function renewLists(ofAll: boolean) {
    all ||= ofAll;
    // Many things happen at once when a folder is dropped.
    timer ??= window.setTimeout(() => {
      const isPart = ({ queryKey }: Query) => (queryKey[1] as { status?: string } | undefined)?.status !== "";
      void client.invalidateQueries({ ...inLists, ...(all ? {} : { predicate: isPart }) });
      timer = undefined;
      all = false;
    }, LIST_MS);
  }

  const has = (id: string, list: InfiniteData<Page> | undefined) => list?.pages.some((page) => page.items.some((item) => item.id === id));

  function change(id: string, by: (old: Transcription) => Transcription) {
    client.setQueryData<Transcription>(["transcription", id], (old) => old && by(old));
    client.setQueriesData<InfiniteData<Page>>(inLists, (old) => {
      if (!old || !has(id, old)) return old;
      return {
        ...old,
        pages: old.pages.map((page) => ({ ...page, items: page.items.map((item) => (item.id === id ? by(item) : item)) })),
      };
    });
  }

  // Progress is told apart from states, and may come after the last of them.
  function progress(id: string, part: Partial<Transcription>) {
    change(id, (old) => (ENDED.has(old.status) && (part.attempt ?? 0) <= old.attempt ? old : { ...old, ...part }));
  }

  // Asks for the one that changed, not for thousands that did not.
  async function renew(id: string, gone: boolean) {
    if (gone || !client.getQueriesData<InfiniteData<Page>>(inLists).some(([, list]) => has(id, list))) {
      void client.invalidateQueries({ queryKey: ["transcription", id] });
      renewLists(true);
      return;
    }
    const { data } = await api.GET("/api/v1/transcriptions/{id}", { params: { path: { id } } }).catch(() => ({ data: undefined }));
    // Answers may overtake each other.
    if (data) change(id, (old) => (data.updated_at >= old.updated_at ? data : old));
    renewLists(!data);
  }

  function take({ name, data }: ServerEvent) {
    if (name === "stream.opened" || name === "stream.reset") {
      // Whatever was missed; sound and old versions stay what they are.
      void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "waveform" && queryKey[0] !== "version" });
      return;
    }
    if (name === "transcription.progress") {
      progress(data.id, {
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
      if (name === "transcription.updated") {
        void client.invalidateQueries({ queryKey: ["transcript", data.id] });
        void client.invalidateQueries({ queryKey: ["versions", data.id] });
      }
      void renew(data.id, name === "transcription.deleted");
    } else if (name.startsWith("file.")) {
      void client.invalidateQueries({ queryKey: ["files"] });
    } else if (name.startsWith("model.")) {
      if (name === "model.progress") client.setQueryData(["installing", data.id], data);
      else {
        client.setQueryData(["installing", data.id], data.error ? { error: data.error } : null);
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
