// Who one is here: name, password, where one is logged in, and everything one has.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, ask, ok, type SessionItem } from "../api/client";
import { close, renamed, session } from "../api/session";
import { bytes, moment } from "../format";
import { useStore } from "../store";
import { t } from "../strings";
import { Button, Field, Problem } from "../ui/controls";
import { saveAs } from "../ui/saveAs";
import { toast } from "../ui/toasts";

export function Account() {
  const state = useStore(session);
  // Without accounts there is nothing to log in to.
  if (state.kind !== "open") return <Everything />;
  return (
    <div className="parts">
      <section className="account">
        <p className="row-title">{state.session.user.username}</p>
        <Button onClick={() => void close()}>{t.logOut}</Button>
      </section>
      <NameForm />
      <PasswordForm />
      <Sessions />
      <Everything />
    </div>
  );
}

function NameForm() {
  const change = useMutation({
    mutationFn: (form: FormData) =>
      ok(api.POST("/api/v1/auth/change-username", { body: { new_username: String(form.get("name")), password: String(form.get("password")) } })),
  });
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    change.mutate(new FormData(form), {
      onSuccess: (person) => {
        renamed(person);
        form.reset();
        toast(t.nameChanged);
      },
    });
  }
  return (
    <form className="form" onSubmit={submit}>
      <h2>{t.changeName}</h2>
      <Field label={t.newName} name="name" autoComplete="username" required maxLength={64} />
      <Field label={t.password} name="password" type="password" autoComplete="current-password" required />
      <Problem error={change.error} />
      <Button type="submit" disabled={change.isPending}>
        {t.changeName}
      </Button>
    </form>
  );
}

function PasswordForm() {
  const client = useQueryClient();
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
  });
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    change.mutate(new FormData(form), {
      onSuccess: () => {
        form.reset();
        toast(t.passwordChanged);
        void client.invalidateQueries({ queryKey: ["sessions"] });
      },
    });
  }
  return (
    <form className="form" onSubmit={submit}>
      <h2>{t.changePassword}</h2>
      <p className="hint">{t.changePasswordText}</p>
      <Field label={t.currentPassword} name="current" type="password" autoComplete="current-password" required />
      <Field label={t.newPassword} name="new" type="password" autoComplete="new-password" minLength={8} required hint={t.passwordHint} />
      <Field label={t.passwordAgain} name="confirm" type="password" autoComplete="new-password" required />
      <Problem error={change.error} />
      <Button type="submit" disabled={change.isPending}>
        {t.changePassword}
      </Button>
    </form>
  );
}

function Sessions() {
  const client = useQueryClient();
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => ok(api.GET("/api/v1/auth/sessions")) });
  const end = useMutation({
    mutationFn: (id: string) => ok(api.DELETE("/api/v1/auth/sessions/{id}", { params: { path: { id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ["sessions"] }),
  });
  return (
    <section>
      <h2>{t.sessions}</h2>
      <Problem error={sessions.error ?? end.error} />
      <ul className="plain things">
        {sessions.data?.items.map((session) => (
          <li key={session.id}>
            <div className="thing">
              <span>{browserOf(session)}</span>
              <span className="row-facts">{[session.is_current && t.thisOne, session.address, t.lastUsed(moment(session.last_used_at))].filter(Boolean).join(" · ")}</span>
            </div>
            {!session.is_current && (
              <Button onClick={() => end.mutate(session.id)} disabled={end.isPending} aria-label={`${t.logOut}: ${browserOf(session)}`}>
                {t.logOut}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

// What browsers say of themselves names others, too; the first of these that is named is the one.
const browsers = { "Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari" };
const systems = { Windows: "Windows", Android: "Android", iPhone: "iPhone", iPad: "iPad", "Mac OS X": "macOS", Linux: "Linux" };
const named = (names: Record<string, string>, text: string) => Object.entries(names).find(([part]) => text.includes(part))?.[1];
function browserOf({ client }: SessionItem) {
  const browser = named(browsers, client);
  const system = named(systems, client);
  return browser && system ? t.browserOn(browser, system) : client || t.unknownBrowser;
}

function Everything() {
  const [arrived, setArrived] = useState("");
  const fetched = useMutation({
    mutationFn: async () => {
      setArrived("");
      const answer = await ask("/export");
      let count = 0;
      const counting = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(part, on) {
          count += part.byteLength;
          setArrived(bytes(count));
          on.enqueue(part);
        },
      });
      saveAs(await new Response(answer.body?.pipeThrough(counting)).blob(), `hansard-${new Date().toISOString().slice(0, 10)}.tar`);
    },
  });
  return (
    <section className="form">
      <h2>{t.everything}</h2>
      <p className="hint">{t.everythingText}</p>
      <Problem error={fetched.error} />
      <div className="buttons">
        <Button onClick={() => fetched.mutate()} disabled={fetched.isPending}>
          {t.download}
        </Button>
        <span className="row-facts" role="status">
          {fetched.isPending && (arrived || t.puttingTogether)}
        </span>
      </div>
    </section>
  );
}
