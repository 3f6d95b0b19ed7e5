// Who has an account, for those who look after the server.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ok, type User, type UserChange } from "../api/client";
import { person, renamed, session } from "../api/session";
import { date } from "../format";
import { useStore } from "../store";
import { t } from "../strings";
import { Button, Choice, Dialog, Field, IconButton, Menu, MenuItem, MenuLine, Problem } from "../ui/controls";
import { Form, textIn } from "../ui/Form";
import { Things } from "../ui/Things";
import { toast } from "../ui/toasts";

export function Users() {
  const users = useQuery({ queryKey: ["users"], queryFn: () => ok(api.GET("/api/v1/admin/users")) });
  return (
    <Things text={t.usersText} fresh={t.newAccount} error={users.error} form={(onDone) => <NewUser onDone={onDone} />}>
      {users.data?.items.map((user) => (
        <UserRow key={user.id} user={user} />
      ))}
    </Things>
  );
}

function NewUser({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const make = useMutation({
    mutationFn: (form: FormData) =>
      ok(
        api.POST("/api/v1/admin/users", {
          body: {
            username: textIn(form, "username"),
            password: textIn(form, "password"),
            role: form.get("role") === "admin" ? "admin" : "user",
          },
        }),
      ),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["users"] });
      onDone();
    },
  });
  return (
    <Form action={t.createAccount} error={make.error} busy={make.isPending} onSend={(form) => make.mutate(form)}>
      <Field label={t.username} name="username" autoComplete="off" required maxLength={64} autoFocus />
      <Field label={t.password} name="password" type="password" autoComplete="new-password" minLength={8} required hint={t.passwordHint} />
      <Choice label={t.role} name="role" defaultValue="user">
        <option value="user">{t.roles.user}</option>
        <option value="admin">{t.roles.admin}</option>
      </Choice>
    </Form>
  );
}

function UserRow({ user }: { user: User }) {
  const client = useQueryClient();
  const me = person(useStore(session));
  const [open, setOpen] = useState<"" | "password" | "delete">("");
  const again = () => client.invalidateQueries({ queryKey: ["users"] });
  const params = { path: { id: user.id } };
  const change = useMutation({
    mutationFn: (body: UserChange) => ok(api.PATCH("/api/v1/admin/users/{id}", { params, body })),
    onSuccess: (changed) => {
      if (me?.id === changed.id) renamed({ ...me, role: changed.role });
    },
    onSettled: again,
  });
  const remove = useMutation({
    mutationFn: () => ok(api.DELETE("/api/v1/admin/users/{id}", { params })),
    onMutate: () => setOpen(""),
    onSettled: again,
  });
  const facts = [t.roles[user.role], user.id === me?.id && t.you, user.disabled && t.locked, t.since(date(user.created_at))];
  return (
    <li>
      <div className="thing">
        <span className="row-title">{user.username}</span>
        <span className="row-facts">{facts.filter(Boolean).join(" · ")}</span>
        {open === "" && <Problem error={change.error ?? remove.error} />}
      </div>
      <Menu label={t.more} trigger={<IconButton icon="more" label={`${t.more}: ${user.username}`} />}>
        <MenuItem onSelect={() => change.mutate({ role: user.role === "admin" ? "user" : "admin" })}>
          {user.role === "admin" ? t.makeUser : t.makeAdmin}
        </MenuItem>
        <MenuItem
          onSelect={() => {
            change.reset();
            setOpen("password");
          }}
        >
          {t.setPassword}
        </MenuItem>
        <MenuItem onSelect={() => change.mutate({ disabled: !user.disabled })}>{user.disabled ? t.unlock : t.lock}</MenuItem>
        <MenuLine />
        <MenuItem danger onSelect={() => setOpen("delete")}>
          {t.delete}
        </MenuItem>
      </Menu>
      <Dialog title={t.passwordOf(user.username)} text={t.setPasswordText} open={open === "password"} onClose={() => setOpen("")}>
        <Form
          action={t.save}
          error={change.error}
          busy={change.isPending}
          onSend={(form) =>
            change.mutate(
              { password: textIn(form, "password") },
              {
                onSuccess: () => {
                  setOpen("");
                  toast(t.passwordChanged);
                },
              },
            )
          }
        >
          <Field label={t.newPassword} name="password" type="password" autoComplete="new-password" minLength={8} required hint={t.passwordHint} autoFocus />
        </Form>
      </Dialog>
      <Dialog title={t.deleteUser(user.username)} text={t.deleteUserText} open={open === "delete"} onClose={() => setOpen("")}>
        <div className="buttons">
          <Button kind="danger" onClick={() => remove.mutate()}>
            {t.delete}
          </Button>
          <Button onClick={() => setOpen("")}>{t.cancel}</Button>
        </div>
      </Dialog>
    </li>
  );
}
