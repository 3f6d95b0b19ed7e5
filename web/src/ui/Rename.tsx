import { useMutation } from "@tanstack/react-query";
import { t } from "../strings";
import { Dialog, Field } from "./controls";
import { Form, textIn } from "./Form";

interface RenameProps {
  title: string; // as it is
  open: boolean;
  onClose: () => void;
  rename: (title: string) => Promise<unknown>;
}
export function Rename({ title, open, onClose, rename }: RenameProps) {
  const send = useMutation({ mutationFn: rename, onSuccess: onClose });
  return (
    <Dialog title={t.rename} open={open} onClose={onClose}>
      <Form action={t.save} error={send.error} busy={send.isPending} onSend={(form) => send.mutate(textIn(form, "title"))}>
        <Field label={t.title} name="title" defaultValue={title} required maxLength={500} autoFocus />
      </Form>
    </Dialog>
  );
}
