import { useState } from "react";
import { t } from "../strings";
import { Check, Dialog } from "../ui/controls";

const KEY = "hansard.singleKeys";
// Keys of one letter get in the way of those who speak to their machine.
export const singleKeys = () => localStorage.getItem(KEY) !== "off";

export function KeySheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const [on, setOn] = useState(singleKeys);
  return (
    <Dialog title={t.keys} open={open} onClose={onClose}>
      <Check
        label={t.singleKeys}
        checked={on}
        onChange={(event) => {
          setOn(event.target.checked);
          localStorage.setItem(KEY, event.target.checked ? "on" : "off");
        }}
      />
      <dl className="keys">
        {t.keySheet.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
