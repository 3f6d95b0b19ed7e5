// The ways in for recordings: files, an address, the microphone; and how they are read.
import { useMutation } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { api, ok, Refusal } from "../api/client";
import { t } from "../strings";
import { Button, Choice, Dialog, Field, Menu, MenuItem, MenuLine } from "../ui/controls";
import { Form, textIn } from "../ui/Form";
import { Icon } from "../ui/Icon";
import { keepChoices, storedChoices, transcribeFile } from "./choices";
import { FileInput } from "./FileInput";
import { JobChoices, useProfiles } from "./JobChoices";

const Recorder = lazy(() => import("./Recorder"));

export function AddMenu({ onFiles }: { onFiles: (files: Iterable<File>) => void }) {
  const input = useRef<HTMLInputElement>(null);
  useKnownProfiles(!!storedChoices().profile);
  const [open, setOpen] = useState<"" | "url" | "record" | "choices">("");
  return (
    <>
      <FileInput input={input} onFiles={onFiles} id="files" />
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

// A profile that was deleted is chosen no more.
function useKnownProfiles(enabled: boolean) {
  const profiles = useProfiles(enabled).data?.items;
  useEffect(() => {
    const choices = storedChoices();
    if (profiles && choices.profile && !profiles.some((one) => one.id === choices.profile)) keepChoices({ ...choices, profile: "" });
  }, [profiles]);
  return profiles;
}

function Choose({ onDone }: { onDone: () => void }) {
  const [choices, setChoices] = useState(storedChoices);
  const profiles = useKnownProfiles(true) ?? [];
  return (
    <Form
      action={t.save}
      onSend={() => {
        keepChoices(choices);
        onDone();
      }}
    >
      {profiles.length > 0 && (
        <Choice
          label={t.profile}
          value={profiles.some((one) => one.id === choices.profile) ? choices.profile : ""}
          onChange={(event) => setChoices({ ...choices, profile: event.target.value })}
        >
          <option value="">{t.noProfile}</option>
          {profiles.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </Choice>
      )}
      {!profiles.some((one) => one.id === choices.profile) && <JobChoices value={choices} onChange={setChoices} />}
    </Form>
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
      await transcribeFile(file.id).catch(async (error: unknown) => {
        // What could not be fetched may have said so sooner than this was asked.
        const now = await ok(api.GET("/api/v1/files/{id}", { params: { path: { id: file.id } } }));
        throw now.error ? new Refusal(409, now.error.code, now.error.message) : error;
      });
    },
    onSuccess: onDone,
  });
  return (
    <Form action={t.import} error={fetched.error} busy={fetched.isPending} onSend={(form) => fetched.mutate(textIn(form, "url"))}>
      <Field label={t.address} name="url" type="url" placeholder="https://" required autoFocus />
    </Form>
  );
}
