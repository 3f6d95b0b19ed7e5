import { useQuery } from "@tanstack/react-query";
import { api, ok } from "../api/client";
import { bytes, languageName } from "../format";
import { t } from "../strings";
import { Check, Choice } from "../ui/controls";
import { presets, type Choices } from "./choices";

export function useModels() {
  return useQuery({ queryKey: ["models", "transcription"], queryFn: () => ok(api.GET("/api/v1/models/transcription")) });
}

export function useProfiles(enabled = true) {
  return useQuery({ queryKey: ["profiles"], queryFn: () => ok(api.GET("/api/v1/profiles")), enabled });
}

export function JobChoices({ value, onChange }: { value: Choices; onChange: (value: Choices) => void }) {
  const models = useModels().data?.items ?? [];
  const model = models.find((one) => one.id === value.model) ?? models.find((one) => one.default);
  const languages = (model?.languages ?? [])
    .map((code) => ({ code, name: languageName(code) }))
    .sort((a, b) => a.name.localeCompare(b.name));
  return (
    <>
      <Choice label={t.spokenLanguage} value={value.language} onChange={(event) => onChange({ ...value, language: event.target.value })}>
        <option value="auto">{t.anyLanguage}</option>
        {languages.map(({ code, name }) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
        {value.language !== "auto" && !languages.some(({ code }) => code === value.language) && (
          <option value={value.language}>{languageName(value.language)}</option>
        )}
      </Choice>
      <Choice label={t.model} value={value.model} onChange={(event) => onChange({ ...value, model: event.target.value })}>
        {!models.some((one) => one.id === value.model) && <option value={value.model}>{value.model === "" && model ? named(model) : value.model}</option>}
        {models
          .filter((one) => value.model !== "" || one !== model)
          .map((one) => (
            <option key={one.id} value={one.id}>
              {named(one)}
            </option>
          ))}
      </Choice>
      <Choice
        label={t.care}
        value={value.preset}
        onChange={(event) => onChange({ ...value, preset: presets.find((one) => one === event.target.value) ?? value.preset })}
      >
        {presets.map((one) => (
          <option key={one} value={one}>
            {t.presets[one]}
          </option>
        ))}
      </Choice>
      <Check label={t.tellSpeakers} checked={value.diarization} onChange={(event) => onChange({ ...value, diarization: event.target.checked })} />
      {value.diarization && (
        <Choice label={t.speakers} value={value.speakers} onChange={(event) => onChange({ ...value, speakers: Number(event.target.value) })}>
          <option value={0}>{t.speakersAuto}</option>
          {[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => (
            <option key={n} value={n}>
              {t.speakersCount(n)}
            </option>
          ))}
          {value.speakers > 10 && <option value={value.speakers}>{t.speakersCount(value.speakers)}</option>}
        </Choice>
      )}
    </>
  );
}

const named = (model: { name: string; size_bytes: number; installed: boolean }) =>
  `${model.name} · ${bytes(model.size_bytes)}${model.installed ? ` · ${t.installed}` : ""}`;
