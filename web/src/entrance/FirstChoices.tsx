// The second of three steps to the first transcript: which language, which model.
import { useState } from "react";
import { t } from "../strings";
import { Form } from "../ui/Form";
import { JobChoices } from "../library/JobChoices";
import { keepChoices, storedChoices } from "../library/choices";

const KEY = "hansard.chosen";
export const hasChosen = () => localStorage.getItem(KEY) !== null;

export function FirstChoices({ onDone }: { onDone: () => void }) {
  const [choices, setChoices] = useState(storedChoices);
  return (
    <main className="entrance">
      <p className="mark">Hansard</p>
      <h1>{t.setUp}</h1>
      <p>{t.setUpText}</p>
      <Form
        action={t.goOn}
        onSend={() => {
          keepChoices(choices);
          localStorage.setItem(KEY, "1");
          onDone();
        }}
      >
        <JobChoices value={choices} onChange={setChoices} />
      </Form>
    </main>
  );
}
