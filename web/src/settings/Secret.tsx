// What the server tells only once.
import { t } from "../strings";
import { Button } from "../ui/controls";
import { toast } from "../ui/toasts";

export function Secret({ text, value }: { text: string; value: string }) {
  async function copy() {
    await navigator.clipboard.writeText(value);
    toast(t.copied);
  }
  return (
    <div className="made-key" role="status">
      <p>{text}</p>
      <code>{value}</code>
      <Button onClick={() => void copy()}>{t.copy}</Button>
    </div>
  );
}
