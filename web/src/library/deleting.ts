// Deleting with a way back: what is deleted is hidden at once, and gone when nobody has undone it for a while.
import { useSyncExternalStore } from "react";
import type { QueryClient } from "@tanstack/react-query";
import { api, ok } from "../api/client";
import { base, sessionState } from "../api/session";
import { t } from "../strings";
import { messageOf } from "../ui/controls";
import { toast, UNDO_MS } from "../ui/toasts";

let hidden: ReadonlySet<string> = new Set();
const due = new Map<string, number>();
const listeners = new Set<() => void>();

function set(next: Set<string>) {
  hidden = next;
  for (const listener of listeners) listener();
}
function show(id: string) {
  const next = new Set(hidden);
  next.delete(id);
  set(next);
}

export function useHidden() {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => hidden,
  );
}

export function deleteTranscription(client: QueryClient, id: string, title: string) {
  set(new Set([...hidden, id]));
  async function reallyDelete() {
    due.delete(id);
    try {
      await ok(api.DELETE("/api/v1/transcriptions/{id}", { params: { path: { id } } }));
      await client.invalidateQueries({ queryKey: ["transcriptions"] });
    } catch (error) {
      toast(messageOf(error));
    }
    show(id);
  }
  due.set(id, window.setTimeout(() => void reallyDelete(), UNDO_MS));
  toast(t.deleted(title), () => {
    clearTimeout(due.get(id));
    due.delete(id);
    show(id);
  });
}

// Whoever leaves has not undone it.
window.addEventListener("pagehide", () => {
  const state = sessionState();
  for (const id of due.keys()) {
    void fetch(`${base}/api/v1/transcriptions/${id}`, {
      method: "DELETE",
      keepalive: true,
      headers: state.kind === "open" ? { Authorization: `Bearer ${state.session.accessToken}` } : {},
    });
  }
});
