// Addresses that are told what happens here, and what became of it.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { api, ok, type Delivery, type Webhook, type WebhookEvent } from "../api/client";
import { usePages } from "../api/pages";
import { moment } from "../format";
import { t } from "../strings";
import { Button, Check, Field, Problem } from "../ui/controls";
import { Form, textIn } from "../ui/Form";
import { Things } from "../ui/Things";
import { Secret } from "./Secret";

const REFRESH_MS = 5000;
const allEvents = () => Object.keys(t.webhookEvents) as WebhookEvent[];
// What most want to be told.
const usual: WebhookEvent[] = ["transcription.completed", "transcription.failed"];

export function Webhooks() {
  const [secret, setSecret] = useState("");
  const webhooks = useQuery({ queryKey: ["webhooks"], queryFn: () => ok(api.GET("/api/v1/webhooks")) });
  return (
    <Things
      text={t.webhooksText}
      fresh={t.newWebhook}
      error={webhooks.error}
      above={secret && <Secret text={t.webhookOnce} value={secret} />}
      form={(onDone) => (
        <WebhookForm
          onDone={(made) => {
            setSecret(made);
            onDone();
          }}
        />
      )}
    >
      {webhooks.data?.items.map((webhook) => (
        <WebhookRow key={webhook.id} webhook={webhook} />
      ))}
    </Things>
  );
}

function WebhookForm({ onDone }: { onDone: (secret: string) => void }) {
  const client = useQueryClient();
  const [chosen, setChosen] = useState(usual);
  const make = useMutation({
    mutationFn: (url: string) => ok(api.POST("/api/v1/webhooks", { body: { url, events: allEvents().filter((event) => chosen.includes(event)) } })),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ["webhooks"] });
      onDone(made.secret);
    },
  });
  return (
    <Form action={t.save} error={make.error} busy={make.isPending || chosen.length === 0} onSend={(form) => make.mutate(textIn(form, "url"))}>
      <Field label={t.address} name="url" type="url" placeholder="https://" required maxLength={4096} autoComplete="off" autoFocus />
      <fieldset className="checks">
        <legend>{t.tellWhen}</legend>
        {allEvents().map((event) => (
          <Check
            key={event}
            label={t.webhookEvents[event]}
            checked={chosen.includes(event)}
            onChange={({ target }) => setChosen(target.checked ? [...chosen, event] : chosen.filter((one) => one !== event))}
          />
        ))}
      </fieldset>
    </Form>
  );
}

function WebhookRow({ webhook }: { webhook: Webhook }) {
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const id = useId();
  const remove = useMutation({
    mutationFn: () => ok(api.DELETE("/api/v1/webhooks/{id}", { params: { path: { id: webhook.id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ["webhooks"] }),
  });
  return (
    <li>
      <div className="thing">
        <span className="row-title">{webhook.url}</span>
        <span className="row-facts">{webhook.events.map((event) => t.webhookEvents[event]).join(" · ")}</span>
        <Problem error={remove.error} />
      </div>
      <div className="buttons">
        <Button onClick={() => setOpen(!open)} aria-expanded={open} aria-controls={id} aria-label={`${t.deliveries}: ${webhook.url}`}>
          {t.deliveries}
        </Button>
        <Button kind="danger" onClick={() => remove.mutate()} aria-label={`${t.delete}: ${webhook.url}`}>
          {t.delete}
        </Button>
      </div>
      <div id={id} className="below">
        {open && <Deliveries id={webhook.id} />}
      </div>
    </li>
  );
}

function Deliveries({ id }: { id: string }) {
  const list = usePages(
    ["deliveries", id],
    (page) => ok(api.GET("/api/v1/webhooks/{id}/deliveries", { params: { path: { id }, query: { limit: 20, ...page } } })),
    { refetchInterval: REFRESH_MS },
  );
  return (
    <>
      <Problem error={list.error} />
      {list.items?.length === 0 && <p className="hint">{t.noDeliveries}</p>}
      <ul className="plain deliveries" aria-label={t.deliveries}>
        {list.items?.map((delivery) => (
          <DeliveryRow key={delivery.id} delivery={delivery} />
        ))}
      </ul>
      {list.hasNextPage && <Button onClick={() => void list.fetchNextPage()}>{t.loadMore}</Button>}
    </>
  );
}

function DeliveryRow({ delivery }: { delivery: Delivery }) {
  const facts = [
    moment(delivery.created_at),
    t.tries(delivery.tries),
    delivery.response,
    delivery.next_try_at && delivery.tries > 0 && t.nextTry(moment(delivery.next_try_at)),
  ];
  return (
    <li>
      <div className="thing">
        <span>{delivery.event ? ((t.webhookEvents as Record<string, string>)[delivery.event] ?? delivery.event) : t.eventGone}</span>
        <span className="row-facts">{facts.filter(Boolean).join(" · ")}</span>
      </div>
      <span className={`badge ${delivery.status}`}>{t.deliveryStatus[delivery.status]}</span>
    </li>
  );
}
