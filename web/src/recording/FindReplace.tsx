import { useEffect, useMemo, useRef, useState } from "react";
import { t } from "../strings";
import { Button, IconButton } from "../ui/controls";
import type { Doc } from "./document";
import type { Change } from "./edits";

interface FindReplaceProps {
  doc: Doc;
  pending: ReadonlyMap<string, Change>;
  text: string;
  onText: (text: string) => void;
  onGo: (index: number) => void;
  onReplace: (changes: Map<string, Change>) => void;
  onClose: () => void;
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export function FindReplace({ doc, pending, text, onText, onGo, onReplace, onClose }: FindReplaceProps) {
  const [by, setBy] = useState("");
  const [at, setAt] = useState(-1);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const hits = useMemo(() => {
    if (!text) return [];
    const pattern = new RegExp(escaped(text), "giu");
    return doc.lines.flatMap((line, index) => {
      const count = (pending.get(line.segment.id)?.text ?? line.segment.text).match(pattern)?.length ?? 0;
      return count > 0 ? [{ index, count }] : [];
    });
  }, [doc, pending, text]);
  function go() {
    const next = hits.find((hit) => hit.index > at) ?? hits[0];
    if (!next) return;
    setAt(next.index);
    onGo(next.index);
  }
  function replace() {
    const pattern = new RegExp(escaped(text), "giu");
    const changes = new Map<string, Change>();
    for (const { index } of hits) {
      const segment = doc.lines[index]?.segment;
      if (segment) changes.set(segment.id, { text: (pending.get(segment.id)?.text ?? segment.text).replace(pattern, () => by) });
    }
    if (changes.size > 0) onReplace(changes);
  }
  return (
    <form
      className="find"
      role="search"
      aria-label={t.findReplace}
      onSubmit={(event) => {
        event.preventDefault();
        go();
      }}
      onKeyDown={(event) => event.key === "Escape" && onClose()}
    >
      <input ref={field} aria-label={t.find} placeholder={t.find} value={text} onChange={(event) => onText(event.target.value)} />
      <span className="row-facts" aria-live="polite">
        {text && t.matches(hits.reduce((sum, hit) => sum + hit.count, 0))}
      </span>
      <Button type="submit" disabled={hits.length === 0}>
        {t.next}
      </Button>
      <input aria-label={t.replaceWith} placeholder={t.replaceWith} value={by} onChange={(event) => setBy(event.target.value)} />
      <Button onClick={replace} disabled={hits.length === 0}>
        {t.replaceAll}
      </Button>
      <IconButton icon="close" label={t.close} onClick={onClose} />
    </form>
  );
}
