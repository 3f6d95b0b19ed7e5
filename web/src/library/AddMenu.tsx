// The ways in for recordings: files, an address, the microphone; and how they are read.
import { useMutation } from "@tanstack/react-query";
import { lazy, Suspense, useRef, useState } from "react";
import { api, ok } from "../api/client";
import { t } from "../strings";
import { Button, Dialog, Field, Menu, MenuItem, MenuLine, Problem } from "../ui/controls";
import { Icon } from "../ui/Icon";
import { keepChoices, optionsOf, storedChoices } from "./choices";
import { JobChoices } from "./JobChoices";

const Recorder = lazy(() => import("./Recorder"));

export function AddMenu({ onFiles }: { onFiles: (files: Iterable<File>) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState<"" | "url" | "record" | "choices">("");
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        accept="audio/*,video/*"
        data-testid="files"
        onChange={(event) => {
          if (event.target.files) onFiles([...event.target.files]);
          event.target.value = "";
        }}
      />
      <Menu
        label={t.addRecordings}
        trigger={
          <Button kind="primary" className="add" aria-label={t.addRecordings}>
            <Icon name="plus" />
            <span className="wide">{t.addRecordings}</span>
          </Button>
        }
      >
        <MenuItem onSelect={() => input.current?.click()}>{t.chooseFiles}</MenuItem>
        <MenuItem onSelect={() => setOpen("url")}>{t.importUrl}</MenuItem>
        <MenuItem onSelect={() => setOpen("record")}>{t.record}</MenuItem>
        <MenuLine />
        <MenuItem onSelect={() => setOpen("choices")}>{t.setUp}</MenuItem>
      </Menu>
      <Dialog title={t.setUp} text={t.setUpText} open={open === "choices"} onClose={() => setOpen("")}>
        <Choose onDone={() => setOpen("")} />
      </Dialog>
      <Dialog title={t.importUrl} text={t.importUrlText} open={open === "url"} onClose={() => setOpen("")}>
        <Import onDone={() => setOpen("")} />
      </Dialog>
      <Dialog title={t.recordTitle} open={open === "record"} onClose={() => setOpen("")}>
        <Suspense fallback={<p>{t.loading}</p>}>
          <Recorder
            onFile={(file) => {
              onFiles([file]);
              setOpen("");
            }}
          />
        </Suspense>
      </Dialog>
    </>
  );
}

function Choose({ onDone }: { onDone: () => void }) {
  const [choices, setChoices] = useState(storedChoices);
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        keepChoices(choices);
        onDone();
      }}
    >
      <JobChoices value={choices} onChange={setChoices} />
      <Button kind="primary" type="submit">
        {t.save}
      </Button>
    </form>
  );
}

function Import({ onDone }: { onDone: () => void }) {
  const fetched = useMutation({
    mutationFn: async (url: string) => {
      const host = new URL(url).hostname.replace(/^www\./, "");
      const body = { url };
      const youtube = host === "youtu.be" || host === "youtube.com" || host.endsWith(".youtube.com");
      const file = youtube
        ? await ok(api.POST("/api/v1/files:import-youtube", { body }))
        : await ok(api.POST("/api/v1/files:import-url", { body }));
      await ok(api.POST("/api/v1/transcriptions", { body: { file_id: file.id, options: optionsOf(storedChoices()) } }));
    },
    onSuccess: onDone,
  });
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        fetched.mutate(String(new FormData(event.currentTarget).get("url")));
      }}
    >
      <Field label={t.address} name="url" type="url" placeholder="https://" required autoFocus />
      <Problem error={fetched.error} />
      <Button kind="primary" type="submit" disabled={fetched.isPending}>
        {t.import}
      </Button>
    </form>
  );
}
