// One recording: what becomes of it while it is in work, then its transcript.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, ok, Refusal } from "../api/client";
import { clock, date, languageName } from "../format";
import { RenameTranscription } from "../library/Row";
import { t } from "../strings";
import { IconButton, Problem } from "../ui/controls";
import { Top } from "../ui/Top";
import { Job } from "./Job";
import { TranscriptView } from "./TranscriptView";

export function Recording() {
  const { id } = useParams({ from: "/r/$id" });
  const query = useQuery({
    queryKey: ["transcription", id],
    queryFn: () => ok(api.GET("/api/v1/transcriptions/{id}", { params: { path: { id } } })),
  });
  const [renaming, setRenaming] = useState(false);
  const item = query.data;
  useEffect(() => {
    document.title = item ? `${item.title} · Hansard` : "Hansard";
  }, [item]);
  if (!item) {
    if (query.error instanceof Refusal && (query.error.status === 404 || query.error.status === 422)) {
      return (
        <main className="nothing">
          <h1>{t.pageMissing}</h1>
          <Link to="/">{t.toLibrary}</Link>
        </main>
      );
    }
    return <main className="waiting">{query.error ? <Problem error={query.error} /> : t.loading}</main>;
  }
  const facts = [
    date(item.created_at),
    item.duration_seconds !== null && clock(item.duration_seconds),
    item.language && languageName(item.language),
    item.options.model,
  ].filter(Boolean);
  return (
    <div className="recording-page">
      <Top title={item.title} facts={facts.join(" · ")}>
        <IconButton icon="edit" label={t.rename} onClick={() => setRenaming(true)} />
        <RenameTranscription item={item} open={renaming} onClose={() => setRenaming(false)} />
      </Top>
      {item.status === "completed" ? <TranscriptView key={id} item={item} /> : <Job item={item} />}
    </div>
  );
}
