// The look of the page, and what is done without being asked.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ok } from "../api/client";
import { choose, language, languages, t, type Language } from "../strings";
import { applyTheme, theme, type Theme } from "../theme";
import { Check, Choice, Problem } from "../ui/controls";

const languageNames: Record<Language, string> = { en: "English", de: "Deutsch" };

export function General() {
  const client = useQueryClient();
  const [look, setLook] = useState<Theme>(theme);
  const settings = useQuery({ queryKey: ["settings"], queryFn: () => ok(api.GET("/api/v1/settings")) });
  const change = useMutation({
    mutationFn: (auto: boolean) => ok(api.PATCH("/api/v1/settings", { body: { auto_transcription_enabled: auto } })),
    onSuccess: (changed) => client.setQueryData(["settings"], changed),
  });
  return (
    <div className="form">
      <Choice
        label={t.theme}
        value={look}
        onChange={(event) => {
          setLook(event.target.value as Theme);
          applyTheme(event.target.value as Theme);
        }}
      >
        <option value="auto">{t.themeAuto}</option>
        <option value="light">{t.themeLight}</option>
        <option value="dark">{t.themeDark}</option>
      </Choice>
      <Choice label={t.pageLanguage} value={language} onChange={(event) => choose(event.target.value as Language)}>
        {languages.map((one) => (
          <option key={one} value={one} lang={one}>
            {languageNames[one]}
          </option>
        ))}
      </Choice>
      {settings.data && (
        <Check
          label={t.autoTranscribe}
          checked={settings.data.auto_transcription_enabled}
          onChange={(event) => change.mutate(event.target.checked)}
        />
      )}
      <Problem error={change.error ?? settings.error} />
      <p className="hint">
        <a href="licenses.txt">{t.licenses}</a>
      </p>
    </div>
  );
}
