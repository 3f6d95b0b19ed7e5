// Short words at the edge of the page, some of which can be taken back.
import { useSyncExternalStore } from "react";
import { t } from "../strings";
import { Button, IconButton } from "./controls";

interface Toast {
  id: number;
  text: string;
  undo?: (() => void) | undefined;
}

let toasts: Toast[] = [];
let next = 0;
const listeners = new Set<() => void>();
function set(value: Toast[]) {
  toasts = value;
  for (const listener of listeners) listener();
}
const remove = (id: number) => set(toasts.filter((toast) => toast.id !== id));

export const UNDO_MS = 7000;

// Returns what takes it away early.
export function toast(text: string, undo?: () => void): () => void {
  next += 1;
  const id = next;
  set([...toasts.slice(-2), { id, text, undo }]);
  setTimeout(() => remove(id), UNDO_MS);
  return () => remove(id);
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((one) => (
        <div key={one.id} className="toast">
          <span>{one.text}</span>
          {one.undo && (
            <Button
              onClick={() => {
                remove(one.id);
                one.undo?.();
              }}
            >
              {t.undo}
            </Button>
          )}
          <IconButton icon="close" label={t.close} onClick={() => remove(one.id)} />
        </div>
      ))}
    </div>
  );
}
