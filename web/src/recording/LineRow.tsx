// One part of a transcript: who, when, and the words, each of which can be heard.
import { Fragment, memo, useEffect, useRef, useState, type KeyboardEvent, type MouseEvent } from "react";
import type { Transcript } from "../api/client";
import { clock } from "../format";
import { t } from "../strings";
import { Button, IconButton, Menu, MenuItem } from "../ui/controls";
import { colourOf, speakerName, type Line } from "./document";
import type { Change, Conflict } from "./edits";
import { useSpokenWord, type Player } from "./player";

export interface RowActions {
  hear: (seconds: number) => void;
  mark: (index: number) => void;
  edit: (id: string) => void; // "": none
  type: (id: string, text: string) => void;
  leave: (id: string) => void;
  speaker: (subject: string) => void;
  split: (segment: string, word: number) => void;
  join: (segments: string[]) => void;
  settle: (conflict: Conflict, mine: boolean) => void;
  next: (index: number) => void; // ends this part's typing and begins the next one's
}

interface LineRowProps {
  transcript: Transcript;
  line: Line;
  index: number;
  nextId: string; // of the part after it, where that one can be joined to it
  begins: boolean; // another speaker than before
  pending: Change | undefined;
  conflict: Conflict | undefined;
  marked: boolean;
  editing: boolean;
  doubtful: boolean;
  found: string;
  player: Player;
  actions: RowActions;
}

// Words that the machine was less sure of are wrong more often than not.
const DOUBT = 0.5;

export const LineRow = memo(function LineRow(props: LineRowProps) {
  const { transcript, line, index, begins, pending, conflict, marked, editing, actions } = props;
  const { segment } = line;
  // A menu for each part of a long transcript is much to draw; nobody opens one from afar.
  const [near, setNear] = useState(false);
  const speaker = pending?.speaker ?? segment.speaker;
  return (
    <article
      className={`line${marked ? " marked" : ""}${begins ? " begins" : ""}`}
      data-colour={colourOf(speaker)}
      data-segment={segment.id}
      onClick={() => actions.mark(index)}
      onPointerEnter={() => setNear(true)}
      onFocus={() => setNear(true)}
    >
      {begins && (
        <button type="button" className="who" onClick={() => actions.speaker(segment.id)}>
          {speakerName(transcript, speaker)}
        </button>
      )}
      <button type="button" className="time" aria-label={`${t.play} ${clock(segment.start)}`} onClick={() => actions.hear(segment.start)}>
        {clock(segment.start)}
      </button>
      {editing ? <Typing {...props} /> : <Words {...props} />}
      <div className="line-tools">
        <IconButton icon="edit" label={`${t.edit} ${clock(segment.start)}`} onClick={() => actions.edit(segment.id)} />
        {(near || marked) && (
          <Menu label={t.more} trigger={<IconButton icon="more" label={`${t.more} ${clock(segment.start)}`} />}>
            <MenuItem onSelect={() => actions.speaker(segment.id)}>{t.thisSegmentIs} …</MenuItem>
            {props.nextId && <MenuItem onSelect={() => actions.join([segment.id, props.nextId])}>{t.joinNext}</MenuItem>}
          </Menu>
        )}
      </div>
      {conflict && (
        <div className="conflict" role="alert">
          <p>{t.conflict}</p>
          <dl>
            <dt>{t.theirs}</dt>
            <dd>{conflict.theirs || "–"}</dd>
            <dt>{t.mine}</dt>
            <dd>{conflict.mine}</dd>
          </dl>
          <Button onClick={() => actions.settle(conflict, false)}>{t.takeTheirs}</Button>
          <Button kind="primary" onClick={() => actions.settle(conflict, true)}>
            {t.keepMine}
          </Button>
        </div>
      )}
    </article>
  );
});

function Words({ transcript, line, pending, doubtful, found, player, actions }: LineRowProps) {
  const spoken = useSpokenWord(player, line.firstWord, line.endWord);
  const { segment } = line;
  const edit = () => actions.edit(segment.id);
  const text = pending?.text ?? segment.text;
  // What is not saved yet has no times, and what is found may begin in the middle of a word.
  if (text !== segment.text || line.endWord === line.firstWord || (found && text.toLowerCase().includes(found.toLowerCase()))) {
    return (
      <p className="words" onDoubleClick={edit}>
        <Found text={text} found={found} />
      </p>
    );
  }
  const words = transcript.words.slice(line.firstWord, line.endWord);
  function hear(event: MouseEvent<HTMLParagraphElement>) {
    const at = (event.target as HTMLElement).dataset.word;
    const word = at === undefined ? undefined : transcript.words[Number(at)];
    if (!word || (window.getSelection()?.toString() ?? "") !== "") return;
    actions.hear(word.start);
  }
  // The words' own spacing is the text's: not every script has spaces.
  let from = 0;
  return (
    <p className="words" onClick={hear} onDoubleClick={edit}>
      {words.map((word, offset) => {
        const at = line.firstWord + offset;
        const text = word.word.trim();
        const begin = segment.text.indexOf(text, from);
        const gap = begin > from ? segment.text.slice(from, begin) : "";
        from = Math.max(from, begin) + text.length;
        const classes = [at === spoken && "spoken", doubtful && word.confidence < DOUBT && "doubtful"].filter(Boolean).join(" ");
        return (
          <Fragment key={at}>
            {gap}
            <span data-word={at} className={classes || undefined}>
              {text}
            </span>
          </Fragment>
        );
      })}
    </p>
  );
}

function Found({ text, found }: { text: string; found: string }) {
  if (!found) return text;
  const parts: React.ReactNode[] = [];
  const low = text.toLowerCase();
  let from = 0;
  for (let at = low.indexOf(found.toLowerCase()); at >= 0; at = low.indexOf(found.toLowerCase(), from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + found.length)}</mark>);
    from = at + found.length;
  }
  parts.push(text.slice(from));
  return parts;
}

function Typing({ line, index, pending, actions }: LineRowProps) {
  const { segment } = line;
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const now = area.current;
    now?.focus({ preventScroll: true });
    now?.setSelectionRange(now.value.length, now.value.length);
    return () => actions.leave(segment.id);
  }, [actions, segment.id]);
  function onKey(event: KeyboardEvent<HTMLTextAreaElement>) {
    event.stopPropagation();
    if (event.key === "Escape") actions.edit("");
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) actions.next(index);
    else if (event.key === "Enter") event.preventDefault();
  }
  // The word after the caret, where a part can be cut.
  function split() {
    const now = area.current;
    if (!now) return;
    const word = now.value.slice(0, now.selectionStart).split(/\s+/).filter(Boolean).length;
    if (word < 1 || word >= line.endWord - line.firstWord) return;
    actions.edit("");
    actions.split(segment.id, word);
  }
  return (
    <div className="typing">
      <textarea
        ref={area}
        aria-label={t.editing}
        rows={Math.ceil(segment.text.length / 60)}
        defaultValue={pending?.text ?? segment.text}
        onChange={(event) => actions.type(segment.id, event.target.value.replaceAll("\n", " "))}
        onKeyDown={onKey}
        onBlur={(event) => {
          if (!event.relatedTarget?.closest(".typing")) actions.edit("");
        }}
      />
      <Button onClick={split}>{t.splitHere}</Button>
      <Button kind="primary" onClick={() => actions.edit("")}>
        {t.save}
      </Button>
    </div>
  );
}
