// How much there is to do, of everybody; and which of it is one's own.
import { useQuery } from "@tanstack/react-query";
import { api, ok } from "../api/client";
import { roughly } from "../format";
import { useHidden } from "../library/deleting";
import { useTranscriptions } from "../library/Library";
import { Row } from "../library/Row";
import { t } from "../strings";
import { Button, Problem } from "../ui/controls";

const REFRESH_MS = 3000;

export function Queue() {
  const queue = useQuery({
    queryKey: ["queue"],
    queryFn: () => ok(api.GET("/api/v1/admin/queue", { params: { query: { scope: "all" } } })),
    refetchInterval: REFRESH_MS,
  });
  return (
    <div className="parts">
      <section>
        <h2>{t.queueOfAll}</h2>
        <Problem error={queue.error} />
        {queue.data && (
          <dl className="numbers">
            {(["queued", "processing", "completed", "failed", "canceled"] as const).map((status) => (
              <div key={status}>
                <dt>{t.status[status]}</dt>
                <dd>{queue.data[status]}</dd>
              </div>
            ))}
            {queue.data.oldest_queued_seconds !== null && (
              <div>
                <dt>{t.longestWait}</dt>
                <dd>{roughly(queue.data.oldest_queued_seconds)}</dd>
              </div>
            )}
          </dl>
        )}
      </section>
      <Mine />
    </div>
  );
}

function Mine() {
  const inWork = useTranscriptions({ sort: "created_at", status: "processing" });
  const waiting = useTranscriptions({ sort: "created_at", status: "queued" });
  const hidden = useHidden();
  // What is taken up meanwhile is in both lists for a moment, and what has ended in one of them.
  const all = [inWork, waiting].flatMap((list) => list.items ?? []);
  const items = [...new Map(all.map((item) => [item.id, item])).values()].filter(
    (item) => !hidden.has(item.id) && (item.status === "queued" || item.status === "processing"),
  );
  return (
    <section>
      <h2>{t.queueOfMine}</h2>
      <Problem error={inWork.error ?? waiting.error} />
      {inWork.data && waiting.data && items.length === 0 && <p className="hint">{t.noneQueued}</p>}
      <ul className="plain">
        {items.map((item) => (
          <li key={item.id}>
            <Row item={item} />
          </li>
        ))}
      </ul>
      {waiting.hasNextPage && <Button onClick={() => void waiting.fetchNextPage()}>{t.loadMore}</Button>}
    </section>
  );
}
