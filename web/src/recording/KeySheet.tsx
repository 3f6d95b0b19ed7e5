import { t } from "../strings";
import { Dialog } from "../ui/controls";

export function KeySheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog title={t.keys} open={open} onClose={onClose}>
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
