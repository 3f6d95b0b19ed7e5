// One recording of the library.
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { memo, useState } from "react";
import { api, ok, type Transcription } from "../api/client";
import { clock, date, languageName, percent, roughly } from "../format";
import { t } from "../strings";
import { Bar, IconButton, Menu, MenuItem } from "../ui/controls";
import { Rename } from "../ui/Rename";
import { deleteTranscription } from "./deleting";

export const Row = memo(function Row({ item }: { item: Transcription }) {
  const client = useQueryClient();
  const [renaming, setRenaming] = useState(false);
  const running = item.status === "queued" || item.status === "processing";
  const facts = [
    date(item.created_at),
    item.duration_seconds !== null && clock(item.duration_seconds),
    item.status === "completed" && item.language && languageName(item.language),
    item.status === "completed" && item.speaker_count !== null && item.speaker_count > 0 && t.speakersCount(item.speaker_count),
  ].filter(Boolean);
  return (
    <div className="row">
      <Link to="/r/$id" params={{ id: item.id }} className="row-link">
        <span className="row-title">{item.title}</span>
        <span className="row-facts">{facts.join(" · ")}</span>
      </Link>
      {running ? (
        <div className="row-progress">
          <Bar share={item.status === "queued" ? undefined : item.progress} label={item.title} />
          <span>
            {item.status === "queued" ? t.status.queued : percent(item.progress)}
            {item.eta_seconds !== null && ` · ${t.timeLeft(roughly(item.eta_seconds))}`}
          </span>
        </div>
      ) : (
        item.status !== "completed" && <span className={`badge ${item.status}`}>{t.status[item.status]}</span>
      )}
      <Menu label={t.more} trigger={<IconButton icon="more" label={`${t.more}: ${item.title}`} />}>
        <MenuItem onSelect={() => setRenaming(true)}>{t.rename}</MenuItem>
        {running && (
          <MenuItem onSelect={() => void api.POST("/api/v1/transcriptions/{id}:cancel", { params: { path: { id: item.id } } })}>
            {t.cancelJob}
          </MenuItem>
        )}
        <MenuItem danger onSelect={() => deleteTranscription(client, item.id, item.title)}>
          {t.delete}
        </MenuItem>
      </Menu>
      {renaming && <RenameTranscription item={item} open onClose={() => setRenaming(false)} />}
    </div>
  );
});

export function RenameTranscription({ item, open, onClose }: { item: Transcription; open: boolean; onClose: () => void }) {
  const client = useQueryClient();
  async function rename(title: string) {
    const changed = await ok(api.PATCH("/api/v1/transcriptions/{id}", { params: { path: { id: item.id } }, body: { title } }));
    client.setQueryData(["transcription", item.id], changed);
    void client.invalidateQueries({ queryKey: ["transcriptions"] });
  }
  return <Rename title={item.title} open={open} onClose={onClose} rename={rename} />;
}
