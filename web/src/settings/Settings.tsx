// The settings, a page for each kind.
import { useNavigate, useParams } from "@tanstack/react-router";
import { Tabs } from "radix-ui";
import { useEffect, useRef } from "react";
import { person, session } from "../api/session";
import { useStore } from "../store";
import { t } from "../strings";
import { Top } from "../ui/Top";
import { Account } from "./Account";
import { General } from "./General";
import { Keys } from "./Keys";
import { Models } from "./Models";
import { Profiles } from "./Profiles";
import { Queue } from "./Queue";
import { Users } from "./Users";
import { Webhooks } from "./Webhooks";

const pages = () => [
  { page: "general", name: t.general, Content: General },
  { page: "models", name: t.models, Content: Models },
  { page: "profiles", name: t.profiles, Content: Profiles },
  { page: "keys", name: t.apiKeys, Content: Keys },
  { page: "webhooks", name: t.webhooks, Content: Webhooks },
  { page: "account", name: t.account, Content: Account },
  { page: "users", name: t.users, Content: Users, admin: true },
  { page: "queue", name: t.queue, Content: Queue, admin: true },
];

export function Settings() {
  const { page: shown = "general" } = useParams({ strict: false });
  const navigate = useNavigate();
  const list = useRef<HTMLDivElement>(null);
  const admin = person(useStore(session))?.role === "admin";
  const mine = pages().filter((one) => admin || !one.admin);
  const name = mine.find((one) => one.page === shown)?.name;
  useEffect(() => {
    document.title = `${name ?? t.settings} · Hansard`;
    // On a small screen the list of pages is wider than what is seen of it.
    list.current?.querySelector("[data-state=active]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [name]);
  return (
    <>
      <Top title={t.settings} />
      <main className="settings">
        <Tabs.Root
          value={shown}
          onValueChange={(page) => void (page === "general" ? navigate({ to: "/settings" }) : navigate({ to: "/settings/$page", params: { page } }))}
        >
          <Tabs.List ref={list} className="tabs" aria-label={t.settings}>
            {mine.map(({ page, name }) => (
              <Tabs.Trigger key={page} value={page} className="tab">
                {name}
              </Tabs.Trigger>
            ))}
          </Tabs.List>
          {mine.map(({ page, Content }) => (
            <Tabs.Content key={page} value={page} className="tab-page">
              <Content />
            </Tabs.Content>
          ))}
        </Tabs.Root>
        {!name && <p className="waiting">{t.pageMissing}</p>}
      </main>
    </>
  );
}
