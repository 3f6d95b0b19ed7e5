// Deleting with a way back: what is deleted is hidden at once, and gone when nobody has undone it for a while.
import type { QueryClient } from "@tanstack/react-query";
import { api, ok } from "../api/client";
import { accessToken, base } from "../api/session";
import { Store, useStore } from "../store";
import { t } from "../strings";
import { messageOf } from "../ui/controls";
import { toast, UNDO_MS } from "../ui/toasts";

const hidden = new Store<ReadonlySet<string>>(new Set());
const due = new Map<string, number>();

function show(id: string) {
  const next = new Set(hidden.get());
  next.delete(id);
  hidden.set(next);
}

export const useHidden = () => useStore(hidden);

export function deleteTranscription(client: QueryClient, id: string, title: string) {
  hidden.set(new Set([...hidden.get(), id]));
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
  const token = accessToken();
  for (const id of due.keys()) {
    void fetch(`${base}/api/v1/transcriptions/${id}`, {
      method: "DELETE",
      keepalive: true,
      headers: token ? { Authorization: `Bearer ${token}` } : {},
    });
  }
});
