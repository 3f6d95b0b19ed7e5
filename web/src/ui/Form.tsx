// What is filled in and sent: its fields, what the server refused, and the button that sends it.
import type { ReactNode } from "react";
import { Button, Problem } from "./controls";

interface FormProps {
  action: string; // what the button says
  onSend: (form: FormData) => void;
  error?: unknown;
  busy?: boolean;
  children: ReactNode;
}
export function Form({ action, onSend, error, busy = false, children }: FormProps) {
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        onSend(new FormData(event.currentTarget));
      }}
    >
      {children}
      <Problem error={error} />
      <Button kind="primary" type="submit" disabled={busy}>
        {action}
      </Button>
    </form>
  );
}

// A field's text.
export const textIn = (form: FormData, name: string) => String(form.get(name) ?? "");
