// Lets in whoever has a session; all others log in, or make the first account.
import { useEffect, useState, type ReactNode } from "react";
import { useQuery } from "@tanstack/react-query";
import { api, ok, Refusal } from "../api/client";
import { open, openLocal, session } from "../api/session";
import { useStore } from "../store";
import { t } from "../strings";
import { Dialog, Field, Problem } from "../ui/controls";
import { Form, textIn } from "../ui/Form";
import { FirstChoices, hasChosen } from "./FirstChoices";

const ACCOUNTS = document.querySelector<HTMLMetaElement>('meta[name="accounts"]')?.content !== "none";

export function Entrance({ children }: { children: ReactNode }) {
  const state = useStore(session);
  const [fresh, setFresh] = useState(false);
  // Where there are no accounts, everyone on the server's machine is somebody.
  const me = useQuery({
    queryKey: ["me"],
    queryFn: () => ok(api.GET("/api/v1/auth/me")),
    enabled: state.kind === "none" && !ACCOUNTS,
  });
  useEffect(() => {
    if (state.kind === "none" && me.data) openLocal(me.data);
  }, [state.kind, me.data]);

  if (state.kind === "none") {
    if (!ACCOUNTS) return <p className="waiting">{me.error ? <Problem error={me.error} /> : t.loading}</p>;
    return <Doors onNew={() => setFresh(true)} />;
  }
  if (fresh && !hasChosen()) return <FirstChoices onDone={() => setFresh(false)} />;
  return (
    <>
      {children}
      <Dialog title={t.logIn} text={t.sessionEnded} open={state.kind === "ended"}>
        <LoginForm />
      </Dialog>
    </>
  );
}

function Doors({ onNew }: { onNew: () => void }) {
  const status = useQuery({ queryKey: ["registration"], queryFn: () => ok(api.GET("/api/v1/auth/registration-status")) });
  if (!status.data) return <p className="waiting">{status.error ? <Problem error={status.error} /> : t.loading}</p>;
  return (
    <main className="entrance">
      <p className="mark">Hansard</p>
      {status.data.registration_enabled ? (
        <>
          <h1>{t.welcome}</h1>
          <p>{t.welcomeText}</p>
          <RegistrationForm onDone={onNew} />
        </>
      ) : (
        <>
          <h1>{t.logInTitle}</h1>
          <LoginForm />
        </>
      )}
    </main>
  );
}

export function LoginForm() {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  async function send(form: FormData) {
    setBusy(true);
    try {
      open(await ok(api.POST("/api/v1/auth/login", { body: { username: textIn(form, "username"), password: textIn(form, "password") } })));
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  }
  return (
    <Form action={t.logIn} error={error} busy={busy} onSend={(form) => void send(form)}>
      <Field label={t.username} name="username" autoComplete="username" required autoFocus />
      <Field label={t.password} name="password" type="password" autoComplete="current-password" required />
    </Form>
  );
}

function RegistrationForm({ onDone }: { onDone: () => void }) {
  const [error, setError] = useState<unknown>();
  const [differ, setDiffer] = useState(false);
  const [wantsCode, setWantsCode] = useState(false);
  const [busy, setBusy] = useState(false);
  async function send(form: FormData) {
    const text = (name: string) => textIn(form, name);
    setDiffer(text("password") !== text("confirm"));
    if (text("password") !== text("confirm")) return;
    setBusy(true);
    try {
      const entry = await ok(
        api.POST("/api/v1/auth/register", {
          body: {
            username: text("username"),
            password: text("password"),
            confirm_password: text("confirm"),
            ...(text("code") ? { setup_code: text("code") } : {}),
          },
        }),
      );
      onDone();
      open(entry);
    } catch (problem) {
      if (problem instanceof Refusal && (problem.field === "setup_code" || problem.status === 403)) setWantsCode(true);
      setError(problem);
      setBusy(false);
    }
  }
  return (
    <Form action={t.createAccount} error={error} busy={busy} onSend={(form) => void send(form)}>
      <Field label={t.username} name="username" autoComplete="username" required autoFocus />
      <Field label={t.password} name="password" type="password" autoComplete="new-password" minLength={8} required hint={t.passwordHint} />
      <Field
        label={t.passwordAgain}
        name="confirm"
        type="password"
        autoComplete="new-password"
        required
        problem={differ ? t.passwordsDiffer : undefined}
      />
      {wantsCode && <Field label={t.setupCode} name="code" hint={t.setupCodeHint} autoComplete="off" required />}
    </Form>
  );
}
