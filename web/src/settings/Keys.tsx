// Keys by which programs ask the server.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { api, ok } from "../api/client";
import { moment } from "../format";
import { t } from "../strings";
import { Button, Field, Problem } from "../ui/controls";
import { Secret } from "./Secret";

export function Keys() {
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
      {make.data && <Secret text={t.keyOnce} value={make.data.key} />}
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
