// Records from the microphone.
import { useEffect, useRef, useState } from "react";
import { clock } from "../format";
import { t } from "../strings";
import { Button } from "../ui/controls";

export default function Recorder({ onFile }: { onFile: (file: File) => void }) {
  const recorder = useRef<MediaRecorder>(undefined);
  const [seconds, setSeconds] = useState<number>();
  const [refused, setRefused] = useState(false);

  // The dialog was closed: nothing is kept, and the microphone is free.
  useEffect(
    () => () => {
      const now = recorder.current;
      if (!now) return;
      now.onstop = null;
      for (const track of now.stream.getTracks()) track.stop();
    },
    [],
  );
  useEffect(() => {
    if (seconds === undefined) return;
    const timer = setTimeout(() => setSeconds(seconds + 1), 1000);
    return () => clearTimeout(timer);
  }, [seconds]);

  async function start() {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const pieces: Blob[] = [];
      const now = new MediaRecorder(stream);
      now.ondataavailable = (event) => pieces.push(event.data);
      now.onstop = () => {
        for (const track of stream.getTracks()) track.stop();
        const at = new Date();
        const type = now.mimeType.split(";")[0] ?? "audio/webm";
        const name = `${t.recordingName} ${at.toISOString().slice(0, 16).replace("T", " ").replace(":", ".")}.${type.split("/")[1] ?? "webm"}`;
        onFile(new File(pieces, name, { type, lastModified: at.getTime() }));
      };
      now.start(1000);
      recorder.current = now;
      setRefused(false);
      setSeconds(0);
    } catch {
      setRefused(true);
    }
  }

  return (
    <div className="form">
      {refused && (
        <p role="alert" className="problem">
          {t.microphoneRefused}
        </p>
      )}
      {seconds === undefined ? (
        <Button kind="primary" onClick={() => void start()}>
          {t.recordStart}
        </Button>
      ) : (
        <>
          <p className="recording" role="timer">
            {t.recording} {clock(seconds)}
          </p>
          <Button kind="primary" onClick={() => recorder.current?.stop()}>
            {t.recordStop}
          </Button>
        </>
      )}
    </div>
  );
}
