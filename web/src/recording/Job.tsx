// A recording in work: how far it is, its text as it grows, and what to do when it failed.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { segmentsKey } from "../api/cache";
import { api, ok, type Segment, type Transcription } from "../api/client";
import { clock, percent, roughly } from "../format";
import { choicesOf, optionsOf } from "../library/choices";
import { JobChoices } from "../library/JobChoices";
import { t } from "../strings";
import { Bar, Button, Dialog, NextStep, Problem } from "../ui/controls";
import { Form } from "../ui/Form";

export function Job({ item }: { item: Transcription }) {
  const running = item.status === "queued" || item.status === "processing";
  const cancel = useMutation({
    mutationFn: () => ok(api.POST("/api/v1/transcriptions/{id}:cancel", { params: { path: { id: item.id } } })),
  });
  // The server tells the place in the line when it is asked for this one job.
  const place = useQuery({
    queryKey: ["place", item.id],
    queryFn: () => ok(api.GET("/api/v1/transcriptions/{id}", { params: { path: { id: item.id } } })),
    enabled: item.status === "queued",
    refetchInterval: 5000,
  }).data?.queue_position;
  // What may pass is tried again after a while; meanwhile a person wants to know what it waits for, and may help.
  const waitsFor = useQuery({
    queryKey: ["executions", item.id, item.attempt],
    queryFn: () => ok(api.GET("/api/v1/transcriptions/{id}/executions", { params: { path: { id: item.id } } })),
    enabled: item.status === "queued" && item.attempt > 0,
  }).data?.items.at(-1)?.error;
  return (
    <main className="job">
      {running ? (
        <section aria-label={t.status[item.status]} className="job-state">
          <div className="job-line">
            <strong>{t.stage[item.progress_stage] ?? t.status[item.status]}</strong>
            <span className="row-facts" aria-live="polite">
              {item.status === "queued"
                ? place != null && t.queuePosition(place)
                : `${percent(item.progress)}${item.eta_seconds !== null ? ` · ${t.timeLeft(roughly(item.eta_seconds))}` : ""}`}
            </span>
            <Button onClick={() => cancel.mutate()} disabled={cancel.isPending}>
              {t.cancelJob}
            </Button>
          </div>
          <Bar share={item.status === "queued" ? undefined : item.progress} label={t.stage[item.progress_stage] ?? ""} />
          {item.status === "queued" && waitsFor && (
            <p className="warning" role="status">
              {t.goesOn}: {waitsFor}
            </p>
          )}
          <Problem error={cancel.error} />
        </section>
      ) : (
        <section className="job-state ended">
          <h2>{item.status === "failed" ? t.failedTitle : t.canceledTitle}</h2>
          {item.error && (
            <p role="alert" className="problem">
              {item.error.message} <NextStep code={item.error.code} />
            </p>
          )}
          {/* What could not be read once cannot be read again. */}
          {item.error?.code !== "FILE_FAILED" && <Retry item={item} />}
        </section>
      )}
      <Growing id={item.id} />
    </main>
  );
}

function Growing({ id }: { id: string }) {
  const { data } = useQuery<{ attempt: number; segments: Segment[] }>({
    queryKey: segmentsKey(id),
    queryFn: () => Promise.resolve({ attempt: 0, segments: [] }),
    enabled: false,
  });
  if (!data || data.segments.length === 0) return null;
  return (
    <section aria-label={t.growing} className="text growing">
      {data.segments.map((segment) => (
        <p key={segment.id}>
          <span className="time">{clock(segment.start)}</span> {segment.text}
        </p>
      ))}
    </section>
  );
}

export function Retry({ item }: { item: Transcription }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [open, setOpen] = useState(false);
  const [choices, setChoices] = useState(() => ({ ...choicesOf(item.options), diarization: item.diarization }));
  const retry = useMutation({
    mutationFn: (other: boolean) =>
      ok(
        api.POST("/api/v1/transcriptions/{id}:retry", {
          params: { path: { id: item.id } },
          body: other ? { options: optionsOf(choices) } : {},
        }),
      ),
    onSuccess: (job) => {
      void client.invalidateQueries({ queryKey: ["transcriptions"] });
      void navigate({ to: "/r/$id", params: { id: job.id } });
      setOpen(false);
    },
  });
  return (
    <div className="buttons">
      {item.status !== "completed" && (
        <Button kind="primary" onClick={() => retry.mutate(false)} disabled={retry.isPending}>
          {t.tryAgain}
        </Button>
      )}
      <Button onClick={() => setOpen(true)}>{t.retryWith}</Button>
      {!open && <Problem error={retry.error} />}
      <Dialog title={t.retryWith} open={open} onClose={() => setOpen(false)}>
        <Form action={t.tryAgain} error={retry.error} busy={retry.isPending} onSend={() => retry.mutate(true)}>
          <JobChoices value={choices} onChange={setChoices} />
        </Form>
      </Dialog>
    </div>
  );
}
