// A finished transcript: heard, read, corrected, taken along.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { api, ok, type Transcription } from "../api/client";
import { useStore } from "../store";
import { t } from "../strings";
import { Button, Problem, messageOf } from "../ui/controls";
import { toast } from "../ui/toasts";
import { lastAt, lineOfWord, readDoc, sentence } from "./document";
import { Edits, loadTranscript, type EditState, type Loaded } from "./edits";
import { FindReplace } from "./FindReplace";
import { KeySheet, singleKeys } from "./KeySheet";
import { Retry } from "./Job";
import { LineRow, type RowActions } from "./LineRow";
import { Player } from "./player";
import { PlayerBar } from "./PlayerBar";
import { SpeakerDialog, SpeakerLegend } from "./Speakers";
import { Tools } from "./Tools";
import { VersionText } from "./Versions";

export type Panel = "" | "find" | "keys";

export function TranscriptView({ item }: { item: Transcription }) {
  const client = useQueryClient();
  const query = useQuery({ queryKey: ["transcript", item.id], queryFn: () => loadTranscript(item.id) });
  const [version, setVersion] = useState<number>();
  if (!query.data) return <main className="waiting">{query.error ? <Problem error={query.error} /> : t.loading}</main>;
  if (version !== undefined) {
    return <VersionText item={item} version={version} newest={query.data.transcript} onLeave={() => setVersion(undefined)} />;
  }
  return <Reader item={item} loaded={query.data} client={client} onVersion={setVersion} />;
}

interface ReaderProps {
  item: Transcription;
  loaded: Loaded;
  client: ReturnType<typeof useQueryClient>;
  onVersion: (version: number) => void;
}

function Reader({ item, loaded, client, onVersion }: ReaderProps) {
  const { t: at } = useSearch({ from: "/r/$id" });
  const [tools] = useState(() => ({ edits: new Edits(item.id, client), player: new Player(item.id) }));
  const { edits, player } = tools;
  useEffect(
    () => () => {
      tools.edits.end();
      tools.player.end();
    },
    [tools],
  );
  const editState = useStore(edits.store);
  const doc = useMemo(() => readDoc(loaded.transcript), [loaded.transcript]);
  const lines = useRef(doc.lines);
  lines.current = doc.lines;
  const [doubtful, setDoubtful] = useState(false);
  const [follow, setFollow] = useState(true);
  const [panel, setPanel] = useState<Panel>("");
  const [found, setFound] = useState("");
  const [marked, setMarked] = useState(-1);
  const [editing, setEditing] = useState("");
  const [speaking, setSpeaking] = useState<string>(); // the segment or speaker whose dialog is open
  const [printing, setPrinting] = useState(false);
  const parent = useRef<HTMLDivElement>(null);

  const rows = useWindowVirtualizer({
    count: doc.lines.length,
    estimateSize: (index) => 34 + 27 * Math.ceil((doc.lines[index]?.segment.text.length ?? 60) / 70),
    overscan: 6,
    scrollMargin: parent.current?.offsetTop ?? 0,
    scrollPaddingStart: 140,
    scrollPaddingEnd: 60,
    getItemKey: (index) => doc.lines[index]?.segment.id ?? index,
  });
  const scroller = useRef(rows);
  scroller.current = rows;
  const show = useCallback((index: number, align: "auto" | "center" = "auto") => scroller.current.scrollToIndex(index, { align }), []);

  useEffect(() => {
    player.follow(doc.transcript);
    edits.renewed();
  }, [player, edits, doc]);
  // A hit of the search opens at its second.
  useEffect(() => {
    if (at === undefined) return;
    player.seek(at);
    const index = lastAt(doc.transcript.segments, at + 0.01);
    setMarked(index);
    const timer = setTimeout(() => show(Math.max(0, index), "center"), 50);
    return () => clearTimeout(timer);
    // Only the address says where to begin: not again when the text has changed.
  }, [at]);
  useEffect(() => {
    const before = () => flushSync(() => setPrinting(true));
    const after = () => setPrinting(false);
    window.addEventListener("beforeprint", before);
    window.addEventListener("afterprint", after);
    return () => {
      window.removeEventListener("beforeprint", before);
      window.removeEventListener("afterprint", after);
    };
  }, []);
  // The spoken word stays in view.
  useEffect(() => {
    if (!follow) return;
    let shown = -1;
    return player.word.subscribe(() => {
      const word = player.word.get();
      if (!player.state.get().playing || word < 0) return;
      const index = lineOfWord(doc, word);
      if (index !== shown) show(index);
      shown = index;
    });
  }, [follow, player, doc, show]);

  const restructure = useCallback(
    (path: string, body: unknown, method = "POST") => {
      void edits.restructure(path, method, body).catch((error: unknown) => toast(messageOf(error)));
    },
    [edits],
  );
  const undo = useCallback(() => {
    void edits
      .undo()
      .then((did) => did && toast(t.undone))
      .catch((error: unknown) => toast(messageOf(error)));
  }, [edits]);

  const actions = useMemo<RowActions>(
    () => ({
      hear: (seconds) => player.seek(seconds, true),
      mark: setMarked,
      edit: (id) => {
        if (id) edits.beginTyping(id);
        setEditing(id);
      },
      type: (id, text) => edits.change(new Map([[id, { text }]]), false),
      leave: (id) => edits.endTyping(id),
      speaker: setSpeaking,
      split: (segment, word) => restructure("/transcript:split", { segment, word }),
      join: (segments) => restructure("/transcript:join", { segments }),
      settle: (conflict, mine) => edits.settle(conflict, mine),
      next: (index) => {
        const next = lines.current[index + 1]?.segment.id ?? "";
        if (next) {
          edits.beginTyping(next);
          setMarked(index + 1);
          show(index + 1);
        }
        setEditing(next);
      },
    }),
    [edits, player, restructure, show],
  );

  const keys = useRef<(event: KeyboardEvent) => void>(undefined);
  keys.current = (event) => {
    const target = event.target as HTMLElement;
    if (target.closest("input, textarea, select, [role=dialog], [role=menu]") && event.key !== "Escape") return;
    if (event.key === " " && target.closest("button, a")) return;
    if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !singleKeys()) return;
    const word = player.word.get();
    const here = marked >= 0 ? marked : word >= 0 ? lineOfWord(doc, word) : 0;
    const jump = (to: number, hear: boolean) => {
      const index = Math.max(0, Math.min(doc.lines.length - 1, to));
      const line = doc.lines[index];
      if (!line) return;
      setMarked(index);
      show(index);
      if (hear) player.seek(line.segment.start);
    };
    const line = doc.lines[here];
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "z") return;
      undo();
    } else if (event.key === " ") player.toggle();
    else if (event.key === "ArrowLeft") jump(sentence(doc.transcript.segments, player.audio.currentTime, -1), true);
    else if (event.key === "ArrowRight") jump(sentence(doc.transcript.segments, player.audio.currentTime, 1), true);
    else if (event.key === "ArrowUp") jump(here - 1, false);
    else if (event.key === "ArrowDown") jump(marked < 0 ? here : here + 1, false);
    else if (event.key === "Enter" && line && !target.closest("button, a")) {
      setMarked(here);
      actions.edit(line.segment.id);
    } else if (event.key === "s" && line) setSpeaking(line.segment.id);
    else if (event.key === "[") player.faster(-1);
    else if (event.key === "]") player.faster(1);
    else if (event.key === "d") setDoubtful(!doubtful);
    else if (event.key === "f") setPanel("find");
    else if (event.key === "?") setPanel("keys");
    else if (event.key === "Escape" && panel) setPanel("");
    else return;
    event.preventDefault();
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => keys.current?.(event);
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);

  const conflicts = new Map(editState.conflicts.map((one) => [one.segment, one]));
  const row = (index: number) => {
    const line = doc.lines[index];
    if (!line) return null;
    const next = doc.lines[index + 1];
    return (
      <LineRow
        transcript={doc.transcript}
        line={line}
        index={index}
        nextId={next && next.segment.speaker === line.segment.speaker ? next.segment.id : ""}
        begins={index === 0 || doc.lines[index - 1]?.segment.speaker !== line.segment.speaker}
        pending={editState.pending.get(line.segment.id)}
        conflict={conflicts.get(line.segment.id)}
        marked={marked === index}
        editing={editing === line.segment.id}
        doubtful={doubtful}
        found={panel === "find" ? found : ""}
        player={player}
        actions={actions}
      />
    );
  };

  return (
    <main className="reader">
      <div className="sticky">
        <PlayerBar item={item} doc={doc} player={player} />
        <div className="toolbar" role="toolbar" aria-label={t.more}>
          <SaveState state={editState} onUndo={undo} />
          <Tools
            item={item}
            doubtful={doubtful}
            follow={follow}
            onDoubtful={setDoubtful}
            onFollow={setFollow}
            onPanel={setPanel}
            onVersion={onVersion}
            onTake={() => edits.flush()}
          />
        </div>
        {panel === "find" && (
          <FindReplace
            doc={doc}
            pending={editState.pending}
            text={found}
            onText={setFound}
            onGo={(index) => {
              setMarked(index);
              show(index, "center");
            }}
            onReplace={(changes) => {
              edits.change(changes, true);
              toast(t.replaced(changes.size), undo);
            }}
            onClose={() => setPanel("")}
          />
        )}
      </div>
      {item.warnings.map((warning) => (
        <p key={warning.code} className="warning" role="status">
          {warning.code === "NO_SPEECH" ? t.noSpeech : warning.message}
        </p>
      ))}
      <SpeakerLegend transcript={doc.transcript} onSpeaker={setSpeaking} />
      <div ref={parent} className="text" style={printing ? {} : { height: rows.getTotalSize() }}>
        {printing
          ? doc.lines.map((line, index) => <div key={`${line.segment.id}:printed`}>{row(index)}</div>)
          : rows.getVirtualItems().map((virtual) => (
              <div
                key={virtual.key}
                ref={rows.measureElement}
                data-index={virtual.index}
                className="line-place"
                style={{ transform: `translateY(${virtual.start - rows.options.scrollMargin}px)` }}
              >
                {row(virtual.index)}
              </div>
            ))}
      </div>
      <footer className="reader-end">
        <Retry item={item} />
      </footer>
      <SpeakerDialog
        subject={speaking}
        transcript={doc.transcript}
        onClose={() => setSpeaking(undefined)}
        onSay={(segment, speaker) => edits.change(new Map([[segment, { speaker }]]), true)}
        onName={(speaker, name) => restructure("/speakers", { [speaker]: name || null }, "PATCH")}
        onMerge={(from, into) => restructure("/speakers:merge", { from, into })}
      />
      <KeySheet open={panel === "keys"} onClose={() => setPanel("")} />
    </main>
  );
}

function SaveState({ state, onUndo }: { state: EditState; onUndo: () => void }) {
  const words = state.problem || (state.conflicts.length > 0 ? t.conflict : state.saving ? t.saving : state.pending.size > 0 ? t.unsaved : t.saved);
  return (
    <>
      <span className={state.problem || state.conflicts.length > 0 ? "save-state problem" : "save-state"} role="status">
        {words}
      </span>
      <Button onClick={onUndo} disabled={state.undoable === 0}>
        {t.undo}
      </Button>
    </>
  );
}

export const versionsOf = (id: string) => ok(api.GET("/api/v1/transcriptions/{id}/transcript/versions", { params: { path: { id } } }));
