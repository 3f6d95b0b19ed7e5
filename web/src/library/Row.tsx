// One recording of the library.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, ok, type Transcription } from "../api/client";
import { clock, date, languageName, percent, roughly } from "../format";
import { t } from "../strings";
import { Bar, Button, Dialog, Field, IconButton, Menu, MenuItem, Problem } from "../ui/controls";
import { deleteTranscription } from "./deleting";

export function Row({ item }: { item: Transcription }) {
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
      <Rename item={item} open={renaming} onClose={() => setRenaming(false)} />
    </div>
  );
}

export function Rename({ item, open, onClose }: { item: Transcription; open: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const rename = useMutation({
    mutationFn: (title: string) =>
      ok(api.PATCH("/api/v1/transcriptions/{id}", { params: { path: { id: item.id } }, body: { title } })),
    onSuccess: (changed) => {
      client.setQueryData(["transcription", item.id], changed);
      void client.invalidateQueries({ queryKey: ["transcriptions"] });
      onClose();
    },
  });
  return (
    <Dialog title={t.rename} open={open} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          rename.mutate(String(new FormData(event.currentTarget).get("title")));
        }}
      >
        <Field label={t.title} name="title" defaultValue={item.title} required maxLength={500} autoFocus />
        <Problem error={rename.error} />
        <Button kind="primary" type="submit" disabled={rename.isPending}>
          {t.save}
        </Button>
      </form>
    </Dialog>
  );
}
