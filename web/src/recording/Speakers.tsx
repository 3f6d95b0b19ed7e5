// Who speaks: names, one person taken for two, and who said one part.
import { useState } from "react";
import type { Transcript } from "../api/client";
import { roughly } from "../format";
import { t } from "../strings";
import { Choice, Dialog, Field } from "../ui/controls";
import { Form, textIn } from "../ui/Form";
import { colourOf, freshSpeaker, speakerName } from "./document";

export function SpeakerLegend({ transcript, onSpeaker }: { transcript: Transcript; onSpeaker: (id: string) => void }) {
  const speakers = transcript.speakers ?? [];
  if (speakers.length === 0) return null;
  return (
    <ul className="speakers" aria-label={t.speakers}>
      {speakers.map((speaker) => (
        <li key={speaker.id}>
          <button type="button" className="speaker" data-colour={colourOf(speaker.id)} onClick={() => onSpeaker(speaker.id)}>
            {speakerName(transcript, speaker.id)}
            <span className="row-facts">{roughly(speaker.seconds)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

interface SpeakerDialogProps {
  subject: string | undefined; // a speaker, or a segment
  transcript: Transcript;
  onClose: () => void;
  onSay: (segment: string, speaker: string) => void;
  onName: (speaker: string, name: string) => void;
  onMerge: (from: string, into: string) => void;
}
export function SpeakerDialog(props: SpeakerDialogProps) {
  const { subject, transcript, onClose } = props;
  const segment = transcript.segments.find((one) => one.id === subject);
  const speaker = segment ? segment.speaker : subject;
  return (
    <Dialog title={segment ? t.thisSegmentIs : speakerName(transcript, speaker)} open={subject !== undefined} onClose={onClose}>
      {segment && <Say key={subject} {...props} segment={segment.id} />}
      {speaker && <Name key={`${subject}:name`} {...props} speaker={speaker} />}
    </Dialog>
  );
}

function Say({ segment, transcript, onSay, onClose }: SpeakerDialogProps & { segment: string }) {
  const fresh = freshSpeaker(transcript);
  const now = transcript.segments.find((one) => one.id === segment)?.speaker;
  return (
    <div className="say">
      {[...(transcript.speakers ?? []).map((one) => one.id), fresh].map((id) => (
        <button
          key={id}
          type="button"
          className="speaker"
          data-colour={colourOf(id)}
          aria-pressed={id === now}
          onClick={() => {
            if (id !== now) onSay(segment, id);
            onClose();
          }}
        >
          {id === fresh ? t.newSpeaker : speakerName(transcript, id)}
        </button>
      ))}
    </div>
  );
}

function Name({ speaker, transcript, onName, onMerge, onClose }: SpeakerDialogProps & { speaker: string }) {
  const [into, setInto] = useState("");
  const others = (transcript.speakers ?? []).filter((one) => one.id !== speaker);
  const name = transcript.speakers?.find((one) => one.id === speaker)?.name ?? "";
  return (
    <Form
      action={t.save}
      onSend={(form) => {
        const given = textIn(form, "name").trim();
        if (into) onMerge(speaker, into);
        else if (given !== name) onName(speaker, given);
        onClose();
      }}
    >
      <h3>{t.renameSpeaker}</h3>
      <Field label={t.speakerName} name="name" defaultValue={name} placeholder={speakerName(transcript, speaker)} maxLength={200} autoComplete="off" disabled={into !== ""} />
      {others.length > 0 && (
        <Choice label={t.mergeInto} value={into} onChange={(event) => setInto(event.target.value)}>
          <option value="">–</option>
          {others.map((one) => (
            <option key={one.id} value={one.id}>
              {speakerName(transcript, one.id)}
            </option>
          ))}
        </Choice>
      )}
    </Form>
  );
}
