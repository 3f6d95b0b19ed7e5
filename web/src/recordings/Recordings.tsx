// All that was brought here, with a transcript or without.
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, ok, type FileItem } from "../api/client";
import { bytes, clock, date } from "../format";
import { storedChoices, wantedOf } from "../library/choices";
import { t } from "../strings";
import { Button, Dialog, Field, IconButton, Menu, MenuItem, Problem, messageOf } from "../ui/controls";
import { Icon } from "../ui/Icon";
import { toast } from "../ui/toasts";

export function Recordings() {
  const list = useInfiniteQuery({
    queryKey: ["files"],
    queryFn: ({ pageParam }) => ok(api.GET("/api/v1/files", { params: { query: { limit: 100, ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  useEffect(() => {
    document.title = `${t.recordings} · Hansard`;
  }, []);
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <header className="top">
        <Link to="/" className="icon-button" aria-label={t.toLibrary} title={t.toLibrary}>
          <Icon name="back" />
        </Link>
        <div className="heading">
          <h1>{t.recordings}</h1>
        </div>
      </header>
      <main className="library">
        <p className="hint">{t.recordingsText}</p>
        <Problem error={list.error} />
        {list.isPending && <p className="waiting">{t.loading}</p>}
        {list.data && items.length === 0 && <p className="waiting">{t.noRecordings}</p>}
        <ul className="plain recordings">
          {items.map((file) => (
            <li key={file.id}>
              <RecordingRow file={file} />
            </li>
          ))}
        </ul>
        {list.hasNextPage && (
          <Button onClick={() => void list.fetchNextPage()} disabled={list.isFetchingNextPage}>
            {t.loadMore}
          </Button>
        )}
      </main>
    </>
  );
}

function RecordingRow({ file }: { file: FileItem }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [renaming, setRenaming] = useState(false);
  const again = () => client.invalidateQueries({ queryKey: ["files"] });
  const params = { path: { id: file.id } };
  const transcribe = useMutation({
    mutationFn: () => ok(api.POST("/api/v1/transcriptions", { body: { file_id: file.id, ...wantedOf(storedChoices()) } })),
    onSuccess: (job) => {
      void client.invalidateQueries({ queryKey: ["transcriptions"] });
      void navigate({ to: "/r/$id", params: { id: job.id } });
    },
  });
  const remove = useMutation({
    mutationFn: () => ok(api.DELETE("/api/v1/files/{id}", { params })),
    onSuccess: () => toast(t.deleted(file.title), () => void restore()),
    onSettled: again,
  });
  // The row is gone by then; what the server says is said where the person looks.
  async function restore() {
    try {
      await ok(api.POST("/api/v1/files/{id}:restore", { params }));
    } catch (error) {
      toast(messageOf(error));
    }
    await again();
  }
  const facts = [
    date(file.created_at),
    t.kinds[file.kind],
    file.duration_seconds !== null && clock(file.duration_seconds),
    file.size_bytes !== null && bytes(file.size_bytes),
    file.status !== "ready" && file.status !== "failed" && t.checking,
  ];
  return (
    <div className="row">
      <div className="thing">
        <span className="row-title">{file.title}</span>
        <span className="row-facts">{facts.filter(Boolean).join(" · ")}</span>
        {file.error && <p className="problem">{file.error.message}</p>}
        <Problem error={transcribe.error ?? remove.error} />
      </div>
      {file.status === "failed" ? (
        <span className="badge failed">{t.status.failed}</span>
      ) : (
        <Button onClick={() => transcribe.mutate()} disabled={transcribe.isPending} aria-label={`${t.transcribe}: ${file.title}`}>
          {t.transcribe}
        </Button>
      )}
      <Menu label={t.more} trigger={<IconButton icon="more" label={`${t.more}: ${file.title}`} />}>
        <MenuItem onSelect={() => setRenaming(true)}>{t.rename}</MenuItem>
        <MenuItem danger onSelect={() => remove.mutate()}>
          {t.delete}
        </MenuItem>
      </Menu>
      <Dialog title={t.rename} open={renaming} onClose={() => setRenaming(false)}>
        <Rename file={file} onDone={() => setRenaming(false)} />
      </Dialog>
    </div>
  );
}

function Rename({ file, onDone }: { file: FileItem; onDone: () => void }) {
  const client = useQueryClient();
  const rename = useMutation({
    mutationFn: (title: string) => ok(api.PATCH("/api/v1/files/{id}", { params: { path: { id: file.id } }, body: { title } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["files"] });
      onDone();
    },
  });
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        rename.mutate(String(new FormData(event.currentTarget).get("title")));
      }}
    >
      <Field label={t.title} name="title" defaultValue={file.title} required maxLength={500} autoFocus />
      <Problem error={rename.error} />
      <Button kind="primary" type="submit" disabled={rename.isPending}>
        {t.save}
      </Button>
    </form>
  );
}
