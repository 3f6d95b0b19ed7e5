// Titles, and what was said, with hits that open at their second.
import { Link } from "@tanstack/react-router";
import { Fragment } from "react";
import { api, ok } from "../api/client";
import { usePages } from "../api/pages";
import { clock } from "../format";
import { t } from "../strings";
import { Button, Problem } from "../ui/controls";
import { useTranscriptions } from "./Library";
import { Row } from "./Row";

// The server writes HTML: <mark> around what was found, all else escaped.
function Snippet({ text }: { text: string }) {
  return text.split(/(<mark>.*?<\/mark>)/g).map((part, index) => {
    const found = /^<mark>(.*)<\/mark>$/.exec(part);
    return found ? <mark key={index}>{plain(found[1] ?? "")}</mark> : <Fragment key={index}>{plain(part)}</Fragment>;
  });
}
const plain = (text: string) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", `"`).replaceAll("&#39;", "'").replaceAll("&amp;", "&");

export function SearchResults({ q }: { q: string }) {
  const titles = useTranscriptions({ sort: "-created_at", status: "", q });
  const hits = usePages(["search", q], (page) => ok(api.GET("/api/v1/search", { params: { query: { q, ...page } } })));
  const named = titles.items ?? [];
  const found = hits.items ?? [];
  if (hits.isPending || titles.isPending) return <p className="waiting">{t.searching}</p>;
  return (
    <div aria-live="polite">
      <Problem error={hits.error} />
      {named.length === 0 && found.length === 0 && !hits.error && <p className="hint">{t.nothingFound(q)}</p>}
      {named.length > 0 && (
        <section>
          <h2>{t.inTitles}</h2>
          <ul className="plain">
            {named.slice(0, 10).map((item) => (
              <li key={item.id}>
                <Row item={item} />
              </li>
            ))}
          </ul>
        </section>
      )}
      {found.length > 0 && (
        <section>
          <h2>{t.inText}</h2>
          <ul className="plain hits">
            {found.map((hit) => (
              <li key={`${hit.transcription_id}:${hit.segment_id}`}>
                <Link to="/r/$id" params={{ id: hit.transcription_id }} search={{ t: hit.start }}>
                  <span className="row-facts">
                    {hit.title} · {clock(hit.start)}
                    {hit.speaker_name && ` · ${hit.speaker_name}`}
                  </span>
                  <span className="snippet">
                    <Snippet text={hit.snippet} />
                  </span>
                </Link>
              </li>
            ))}
          </ul>
          {hits.hasNextPage && <Button onClick={() => void hits.fetchNextPage()}>{t.loadMore}</Button>}
        </section>
      )}
    </div>
  );
}
