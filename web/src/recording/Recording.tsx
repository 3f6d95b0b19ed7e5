// One recording: what becomes of it while it is in work, then its transcript.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, ok, Refusal } from "../api/client";
import { clock, date, languageName } from "../format";
import { Rename } from "../library/Row";
import { t } from "../strings";
import { IconButton, Problem } from "../ui/controls";
import { Icon } from "../ui/Icon";
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
      <header className="top">
        <Link to="/" className="icon-button" aria-label={t.toLibrary} title={t.toLibrary}>
          <Icon name="back" />
        </Link>
        <div className="heading">
          <h1>{item.title}</h1>
          <p className="row-facts">{facts.join(" · ")}</p>
        </div>
        <IconButton icon="edit" label={t.rename} onClick={() => setRenaming(true)} />
        <Rename item={item} open={renaming} onClose={() => setRenaming(false)} />
      </header>
      {item.status === "completed" ? <TranscriptView key={id} item={item} /> : <Job item={item} />}
    </div>
  );
}
