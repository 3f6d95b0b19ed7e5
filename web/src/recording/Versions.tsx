// An older version of a transcript, with what is different in it from the newest.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ask, type Transcript, type Transcription } from "../api/client";
import { clock } from "../format";
import { t } from "../strings";
import { Button, Problem } from "../ui/controls";
import { colourOf, compareWords, speakerName } from "./document";
import { loadTranscript } from "./edits";

interface VersionTextProps {
  item: Transcription;
  version: number;
  newest: Transcript;
  onLeave: () => void;
}
export function VersionText({ item, version, newest, onLeave }: VersionTextProps) {
  const client = useQueryClient();
  const path = `/transcriptions/${item.id}/transcript`;
  const old = useQuery({
    queryKey: ["version", item.id, version],
    queryFn: async () => (await (await ask(`${path}?version=${version}`)).json()) as Transcript,
    staleTime: Infinity,
  });
  const restore = useMutation({
    mutationFn: () =>
      ask(`${path}:restore`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ version }) }),
    onSuccess: async () => {
      await client.fetchQuery({ queryKey: ["transcript", item.id], queryFn: () => loadTranscript(item.id), staleTime: 0 });
      void client.invalidateQueries({ queryKey: ["versions", item.id] });
      onLeave();
    },
  });
  const now = new Map(newest.segments.map((segment) => [segment.id, segment]));
  const name = version === 1 ? t.machineVersion : t.editedVersion(version);
  return (
    <main className="reader">
      <div className="sticky version-bar" role="status">
        <span>{t.comparing(name)}</span>
        <Button onClick={() => restore.mutate()} disabled={restore.isPending}>
          {t.restoreVersion}
        </Button>
        <Button kind="primary" onClick={onLeave}>
          {t.backToNow}
        </Button>
      </div>
      <Problem error={restore.error ?? old.error} />
      <div className="text">
        {old.data?.segments.map((segment, index) => (
          <article
            key={segment.id}
            className={`line far${index === 0 || old.data.segments[index - 1]?.speaker !== segment.speaker ? " begins" : ""}`}
            data-colour={colourOf(segment.speaker)}
          >
            {(index === 0 || old.data.segments[index - 1]?.speaker !== segment.speaker) && (
              <span className="who">{speakerName(old.data, segment.speaker)}</span>
            )}
            <span className="time">{clock(segment.start)}</span>
            <p className="words">
              {now.get(segment.id)?.text === segment.text
                ? segment.text
                : compareWords(segment.text, now.get(segment.id)?.text ?? "").map(({ word, only }, at) => (
                    <span key={at}>{only === "before" ? <mark>{word}</mark> : only === "now" ? <ins>{word}</ins> : word} </span>
                  ))}
            </p>
          </article>
        ))}
      </div>
    </main>
  );
}
