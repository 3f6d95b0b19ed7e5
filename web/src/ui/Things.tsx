// A list of things, each a line, and how a new one is made.
import { useState, type ReactNode } from "react";
import { Button, Dialog, Problem } from "./controls";

interface ThingsProps {
  text: string; // what they are
  fresh: string; // "New …"
  form: (onDone: () => void) => ReactNode; // makes one
  error: unknown;
  children: ReactNode; // <li>…
  above?: ReactNode;
}
export function Things({ text, fresh, form, error, children, above }: ThingsProps) {
  const [making, setMaking] = useState(false);
  return (
    <>
      <div className="page-head">
        <p className="hint">{text}</p>
        <Button kind="primary" onClick={() => setMaking(true)}>
          {fresh}
        </Button>
      </div>
      {above}
      <Problem error={error} />
      <ul className="plain things">{children}</ul>
      <Dialog title={fresh} open={making} onClose={() => setMaking(false)}>
        {form(() => setMaking(false))}
      </Dialog>
    </>
  );
}
