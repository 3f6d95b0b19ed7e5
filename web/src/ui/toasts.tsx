// Short words at the edge of the page, some of which can be taken back.
import { Store, useStore } from "../store";
import { t } from "../strings";
import { Button, IconButton } from "./controls";

interface Toast {
  id: number;
  text: string;
  undo?: (() => void) | undefined;
}

const toasts = new Store<Toast[]>([]);
let next = 0;
const remove = (id: number) => toasts.set(toasts.get().filter((toast) => toast.id !== id));

export const UNDO_MS = 7000;

export function toast(text: string, undo?: () => void) {
  next += 1;
  const id = next;
  toasts.set([...toasts.get().slice(-2), { id, text, undo }]);
  setTimeout(() => remove(id), UNDO_MS);
}

export function Toasts() {
  const shown = useStore(toasts);
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
