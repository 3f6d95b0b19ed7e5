// The models that are here, and those that could be.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ok, type Model } from "../api/client";
import { bytes } from "../format";
import { useModels } from "../library/JobChoices";
import { t } from "../strings";
import { Bar, Button, Problem } from "../ui/controls";

export function Models() {
  const transcription = useModels();
  const diarization = useQuery({ queryKey: ["models", "diarization"], queryFn: () => ok(api.GET("/api/v1/models/diarization")) });
  const items = [...(transcription.data?.items ?? []), ...(diarization.data?.items ?? [])];
  return (
    <>
      <Problem error={transcription.error ?? diarization.error} />
      <ul className="plain things">
        {items.map((model) => (
          <ModelRow key={model.id} model={model} />
        ))}
      </ul>
    </>
  );
}

// What the stream of events said last of a model that is fetched.
type Installing = { done_bytes: number; total_bytes: number } | { error: { message: string } };

function ModelRow({ model }: { model: Model }) {
  const client = useQueryClient();
  const told = useQuery<Installing | null>({
    queryKey: ["installing", model.id],
    queryFn: () => Promise.resolve(null),
    enabled: false,
  }).data;
  const progress = told && "done_bytes" in told ? told : undefined;
  const failed = told && "error" in told ? new Error(told.error.message) : undefined;
  const again = () => client.invalidateQueries({ queryKey: ["models"] });
  const install = useMutation({
    mutationFn: () => ok(api.POST("/api/v1/models/{id}:install", { params: { path: { id: model.id } } })),
    // Before it is asked for: word of its end may come sooner than the answer.
    onMutate: () => client.setQueryData(["installing", model.id], { done_bytes: 0, total_bytes: model.size_bytes }),
    onError: () => client.setQueryData(["installing", model.id], null),
  });
  const remove = useMutation({
    mutationFn: () => ok(api.DELETE("/api/v1/models/{id}", { params: { path: { id: model.id } } })),
    onSettled: again,
  });
  return (
    <li>
      <div className="thing">
        <span className="row-title">{model.name}</span>
        <span className="row-facts">
          {[bytes(model.size_bytes), model.license, model.installed && t.installed, model.default && t.defaultModel].filter(Boolean).join(" · ")}
        </span>
        <Problem error={failed ?? install.error ?? remove.error} />
        {progress && <Bar share={progress.done_bytes / Math.max(1, progress.total_bytes)} label={`${t.installing}: ${model.name}`} />}
      </div>
      {model.installed ? (
        <Button onClick={() => remove.mutate()} disabled={remove.isPending} aria-label={`${t.remove}: ${model.name}`}>
          {t.remove}
        </Button>
      ) : (
        <Button onClick={() => install.mutate()} disabled={install.isPending || !!progress} aria-label={`${progress ? t.installing : t.install}: ${model.name}`}>
          {progress ? t.installing : t.install}
        </Button>
      )}
    </li>
  );
}
