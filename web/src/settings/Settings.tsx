// The page's look, models, keys, the account.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Tabs } from "radix-ui";
import { useEffect, useState, useSyncExternalStore, type FormEvent } from "react";
import { api, ok } from "../api/client";
import { close, sessionState, subscribeToSession } from "../api/session";
import { bytes, moment } from "../format";
import { choose, language, languages, t, type Language } from "../strings";
import { applyTheme, theme, type Theme } from "../theme";
import { Bar, Button, Check, Choice, Field, Problem } from "../ui/controls";
import { Icon } from "../ui/Icon";
import { toast } from "../ui/toasts";

export function Settings() {
  useEffect(() => {
    document.title = `${t.settings} · Hansard`;
  }, []);
  const state = useSyncExternalStore(subscribeToSession, sessionState);
  const pages = [
    ["general", t.general, <General key="general" />],
    ["models", t.models, <Models key="models" />],
    ["keys", t.apiKeys, <Keys key="keys" />],
    ...(state.kind === "open" ? ([["account", t.account, <Account key="account" name={state.session.user.username} />]] as const) : []),
  ] as const;
  return (
    <>
      <header className="top">
        <Link to="/" className="icon-button" aria-label={t.toLibrary} title={t.toLibrary}>
          <Icon name="back" />
        </Link>
        <div className="heading">
          <h1>{t.settings}</h1>
        </div>
      </header>
      <main className="settings">
        <Tabs.Root defaultValue="general">
          <Tabs.List className="tabs" aria-label={t.settings}>
            {pages.map(([value, name]) => (
              <Tabs.Trigger key={value} value={value} className="tab">
                {name}
              </Tabs.Trigger>
            ))}
          </Tabs.List>
          {pages.map(([value, , page]) => (
            <Tabs.Content key={value} value={value} className="tab-page">
              {page}
            </Tabs.Content>
          ))}
        </Tabs.Root>
      </main>
    </>
  );
}

const languageNames: Record<Language, string> = { en: "English", de: "Deutsch" };

function General() {
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
    </div>
  );
}

function Models() {
  const transcription = useQuery({ queryKey: ["models", "transcription"], queryFn: () => ok(api.GET("/api/v1/models/transcription")) });
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

type ModelItem = { id: string; name: string; installed: boolean; default: boolean; size_bytes: number; license: string };
function ModelRow({ model }: { model: ModelItem }) {
  const client = useQueryClient();
  const progress = useQuery<{ done_bytes: number; total_bytes: number } | null>({
    queryKey: ["installing", model.id],
    queryFn: () => Promise.resolve(null),
    enabled: false,
  }).data;
  const again = () => client.invalidateQueries({ queryKey: ["models"] });
  const install = useMutation({
    mutationFn: () => ok(api.POST("/api/v1/models/{id}:install", { params: { path: { id: model.id } } })),
    onSuccess: () => client.setQueryData(["installing", model.id], { done_bytes: 0, total_bytes: model.size_bytes }),
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
        <Problem error={install.error ?? remove.error} />
        {progress && <Bar share={progress.done_bytes / Math.max(1, progress.total_bytes)} label={`${t.installing}: ${model.name}`} />}
      </div>
      {model.installed ? (
        <Button onClick={() => remove.mutate()} disabled={remove.isPending} aria-label={`${t.remove}: ${model.name}`}>
          {t.remove}
        </Button>
      ) : (
        <Button onClick={() => install.mutate()} disabled={install.isPending || !!progress} aria-label={`${t.install}: ${model.name}`}>
          {progress ? t.installing : t.install}
        </Button>
      )}
    </li>
  );
}

function Keys() {
  const client = useQueryClient();
  const keys = useQuery({ queryKey: ["keys"], queryFn: () => ok(api.GET("/api/v1/api-keys")) });
  const again = () => client.invalidateQueries({ queryKey: ["keys"] });
  const make = useMutation({
    mutationFn: (name: string) => ok(api.POST("/api/v1/api-keys", { body: { name } })),
    onSuccess: again,
  });
  const remove = useMutation({
    mutationFn: (id: string) => ok(api.DELETE("/api/v1/api-keys/{id}", { params: { path: { id } } })),
    onSettled: again,
  });
  const items = (keys.data?.items ?? []).filter((key) => key.is_active);
  async function copy(key: string) {
    await navigator.clipboard.writeText(key);
    toast(t.copied);
  }
  return (
    <>
      <form
        className="form across"
        onSubmit={(event: FormEvent<HTMLFormElement>) => {
          event.preventDefault();
          make.mutate(String(new FormData(event.currentTarget).get("name")));
          event.currentTarget.reset();
        }}
      >
        <Field label={t.keyName} name="name" required maxLength={200} autoComplete="off" />
        <Button kind="primary" type="submit">
          {t.newKey}
        </Button>
      </form>
      {make.data && (
        <div className="made-key" role="status">
          <p>{t.keyOnce}</p>
          <code>{make.data.key}</code>
          <Button onClick={() => void copy(make.data.key)}>{t.copy}</Button>
        </div>
      )}
      <Problem error={make.error ?? keys.error ?? remove.error} />
      {keys.data && items.length === 0 && <p className="hint">{t.noKeys}</p>}
      <ul className="plain things">
        {items.map((key) => (
          <li key={key.id}>
            <div className="thing">
              <span className="row-title">{key.name}</span>
              <span className="row-facts">
                {key.key_preview} · {key.last_used_at ? t.lastUsed(moment(key.last_used_at)) : t.neverUsed}
              </span>
            </div>
            <Button kind="danger" onClick={() => remove.mutate(key.id)} aria-label={`${t.delete}: ${key.name}`}>
              {t.delete}
            </Button>
          </li>
        ))}
      </ul>
    </>
  );
}

function Account({ name }: { name: string }) {
  const change = useMutation({
    mutationFn: (form: FormData) =>
      ok(
        api.POST("/api/v1/auth/change-password", {
          body: {
            current_password: String(form.get("current")),
            new_password: String(form.get("new")),
            confirm_password: String(form.get("confirm")),
          },
        }),
      ),
    onSuccess: () => toast(t.passwordChanged),
  });
  return (
    <div className="form">
      <p className="row-title">{name}</p>
      <Button onClick={() => void close()}>{t.logOut}</Button>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate(new FormData(event.currentTarget));
        }}
      >
        <h2>{t.changePassword}</h2>
        <Field label={t.currentPassword} name="current" type="password" autoComplete="current-password" required />
        <Field label={t.newPassword} name="new" type="password" autoComplete="new-password" minLength={8} required hint={t.passwordHint} />
        <Field label={t.passwordAgain} name="confirm" type="password" autoComplete="new-password" required />
        <Problem error={change.error} />
        <Button kind="primary" type="submit" disabled={change.isPending}>
          {t.save}
        </Button>
      </form>
    </div>
  );
}
