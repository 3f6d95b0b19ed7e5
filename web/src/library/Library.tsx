// All recordings: add, find, follow, open.
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { api, ok, type Transcription } from "../api/client";
import { usePages } from "../api/pages";
import { t } from "../strings";
import { Button, Choice, Problem } from "../ui/controls";
import { Icon } from "../ui/Icon";
import { useAdd } from "./adding";
import { AddMenu } from "./AddMenu";
import { FileInput } from "./FileInput";
import { useHidden } from "./deleting";
import { Row } from "./Row";
import { SearchResults } from "./SearchResults";
import { UploadList } from "./UploadList";
import { useUploads } from "./uploads";

const ROW_PX = 68;
const sorts = { "-created_at": () => t.sortNewest, created_at: () => t.sortOldest, title: () => t.sortTitle } as const;
type Sort = keyof typeof sorts;
type Shown = "" | "completed" | "processing" | "queued" | "failed" | "canceled";

export function useTranscriptions(query: { sort: Sort; status: Shown; q?: string }) {
  return usePages(["transcriptions", query], (page) =>
    ok(
      api.GET("/api/v1/transcriptions", {
        params: {
          query: {
            limit: 100,
            sort: query.sort,
            ...(query.status ? { status: query.status } : {}),
            ...(query.q ? { q: query.q } : {}),
            ...page,
          },
        },
      }),
    ),
  );
}

export function Library() {
  const { q = "" } = useSearch({ from: "/" });
  const navigate = useNavigate();
  const add = useAdd();
  const [words, setWords] = useState(q);
  const [sort, setSort] = useState<Sort>("-created_at");
  const [shown, setShown] = useState<Shown>("");
  const field = useRef<HTMLInputElement>(null);

  useEffect(() => {
    document.title = "Hansard";
    function onKey(event: KeyboardEvent) {
      if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
        event.preventDefault();
        field.current?.focus();
      }
    }
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    const timer = setTimeout(() => {
      if (words.trim() !== q) void navigate({ to: "/", search: words.trim() ? { q: words.trim() } : {}, replace: true });
    }, 250);
    return () => clearTimeout(timer);
  }, [words, q, navigate]);

  return (
    <>
      <header className="top">
        <Link to="/" className="mark" onClick={() => setWords("")}>
          Hansard
        </Link>
        <search className="search">
          <Icon name="search" />
          <input
            ref={field}
            type="search"
            aria-label={t.search}
            placeholder={t.search}
            value={words}
            onChange={(event) => setWords(event.target.value)}
          />
        </search>
        <Link to="/recordings" className="icon-button" aria-label={t.recordings} title={t.recordings}>
          <Icon name="recordings" />
        </Link>
        <Link to="/settings" className="icon-button" aria-label={t.settings} title={t.settings}>
          <Icon name="settings" />
        </Link>
        <AddMenu onFiles={add} />
      </header>
      <main className="library">
        <h1 className="unseen">{t.library}</h1>
        <UploadList />
        {q ? (
          <SearchResults q={q} />
        ) : (
          <List sort={sort} shown={shown} onSort={setSort} onShown={setShown} onFiles={add} />
        )}
      </main>
    </>
  );
}

interface ListProps {
  sort: Sort;
  shown: Shown;
  onSort: (sort: Sort) => void;
  onShown: (shown: Shown) => void;
  onFiles: (files: Iterable<File>) => void;
}
function List({ sort, shown, onSort, onShown, onFiles }: ListProps) {
  const list = useTranscriptions({ sort, status: shown });
  const hidden = useHidden();
  const uploads = useUploads();
  const items = (list.items ?? []).filter((item) => !hidden.has(item.id));
  if (list.error && !list.data) return <Problem error={list.error} />;
  if (!list.data) return <p className="waiting">{t.loading}</p>;
  if (items.length === 0 && shown === "" && uploads.length === 0) return <Empty onFiles={onFiles} />;
  return (
    <>
      <div className="list-head">
        <Choice bare label={t.filter} value={shown} onChange={(event) => onShown(event.target.value as Shown)}>
          <option value="">{t.filterAll}</option>
          <option value="completed">{t.filterCompleted}</option>
          <option value="processing">{t.filterRunning}</option>
          <option value="queued">{t.filterQueued}</option>
          <option value="failed">{t.filterFailed}</option>
          <option value="canceled">{t.filterCanceled}</option>
        </Choice>
        <Choice bare label={t.sort} value={sort} onChange={(event) => onSort(event.target.value as Sort)}>
          {Object.entries(sorts).map(([value, name]) => (
            <option key={value} value={value}>
              {name()}
            </option>
          ))}
        </Choice>
      </div>
      {items.length === 0 && <p className="hint">{t.noneInFilter}</p>}
      <Rows items={items} more={list.hasNextPage} fetchMore={() => void list.fetchNextPage()} />
    </>
  );
}

function Rows({ items, more, fetchMore }: { items: Transcription[]; more: boolean; fetchMore: () => void }) {
  const parent = useRef<HTMLUListElement>(null);
  const rows = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => ROW_PX,
    overscan: 8,
    scrollMargin: parent.current?.offsetTop ?? 0,
    getItemKey: (index) => items[index]?.id ?? index,
  });
  const last = rows.getVirtualItems().at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= items.length - 20) fetchMore();
  }, [more, last, items.length, fetchMore]);
  return (
    <ul ref={parent} className="rows" style={{ height: rows.getTotalSize() }}>
      {rows.getVirtualItems().map((row) => {
        const item = items[row.index];
        return (
          item && (
            <li key={row.key} style={{ transform: `translateY(${row.start - rows.options.scrollMargin}px)`, height: row.size }}>
              <Row item={item} />
            </li>
          )
        );
      })}
    </ul>
  );
}

function Empty({ onFiles }: { onFiles: (files: Iterable<File>) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <section className="empty">
      <h2>{t.emptyTitle}</h2>
      <p>{t.emptyText}</p>
      <FileInput input={input} onFiles={onFiles} />
      <Button kind="primary" onClick={() => input.current?.click()}>
        {t.chooseFiles}
      </Button>
    </section>
  );
}
