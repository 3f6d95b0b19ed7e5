// All that was brought here, with a transcript or without.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, ok, type FileItem } from "../api/client";
import { usePages } from "../api/pages";
import { bytes, clock, date } from "../format";
import { transcribeFile } from "../library/choices";
import { t } from "../strings";
import { Button, Dialog, IconButton, Menu, MenuItem, Problem, messageOf } from "../ui/controls";
import { Rename } from "../ui/Rename";
import { toast } from "../ui/toasts";
import { Top } from "../ui/Top";

export function Recordings() {
  const list = usePages(["files"], (page) => ok(api.GET("/api/v1/files", { params: { query: { limit: 100, ...page } } })));
  useEffect(() => {
    document.title = `${t.recordings} · Hansard`;
  }, []);
  const { items } = list;
  return (
    <>
      <Top title={t.recordings} />
      <main className="library">
        <p className="hint">{t.recordingsText}</p>
        <Problem error={list.error} />
        {list.isPending && <p className="waiting">{t.loading}</p>}
        {items?.length === 0 && <p className="waiting">{t.noRecordings}</p>}
        <ul className="plain recordings">
          {items?.map((file) => (
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
  const [open, setOpen] = useState<"" | "rename" | "erase">("");
  const again = () => client.invalidateQueries({ queryKey: ["files"] });
  const params = { path: { id: file.id } };
  const transcribe = useMutation({
    mutationFn: () => transcribeFile(file.id),
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
  const erase = useMutation({
    mutationFn: () => ok(api.DELETE("/api/v1/files/{id}", { params: { ...params, query: { purge: true } } })),
    onSuccess: () => setOpen(""),
    onSettled: again,
  });
  async function rename(title: string) {
    await ok(api.PATCH("/api/v1/files/{id}", { params, body: { title } }));
    await again();
  }
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
        <MenuItem onSelect={() => setOpen("rename")}>{t.rename}</MenuItem>
        <MenuItem danger onSelect={() => remove.mutate()}>
          {t.delete}
        </MenuItem>
        <MenuItem danger onSelect={() => setOpen("erase")}>
          {t.erase} …
        </MenuItem>
      </Menu>
      <Rename title={file.title} open={open === "rename"} onClose={() => setOpen("")} rename={rename} />
      <Dialog title={t.eraseWhich(file.title)} text={t.eraseText} open={open === "erase"} onClose={() => setOpen("")}>
        <Problem error={erase.error} />
        <div className="buttons">
          <Button kind="danger" onClick={() => erase.mutate()} disabled={erase.isPending}>
            {t.erase}
          </Button>
          <Button onClick={() => setOpen("")}>{t.cancel}</Button>
        </div>
      </Dialog>
    </div>
  );
}
