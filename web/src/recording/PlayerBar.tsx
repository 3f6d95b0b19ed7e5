// Play, speed, sentences, and the waveform in its speakers' colours.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import WaveSurfer from "wavesurfer.js";
import { api, ok, Refusal, type Transcription } from "../api/client";
import { clock } from "../format";
import { useStore } from "../store";
import { t } from "../strings";
import { Choice, IconButton } from "../ui/controls";
import { COLOURS, colourOf, sentence, type Doc } from "./document";
import type { Player } from "./player";

const POINTS = 1200;
const HEIGHT_PX = 52;

export function PlayerBar({ item, doc, player }: { item: Transcription; doc: Doc; player: Player }) {
  const state = useStore(player.state);
  const { segments } = doc.transcript;
  function skip(step: 1 | -1) {
    const segment = segments[sentence(segments, player.audio.currentTime, step)];
    if (segment) player.seek(segment.start);
  }
  return (
    <section className="player" aria-label={t.play}>
      <div className="player-buttons">
        <IconButton icon="backward" label={t.back} onClick={() => skip(-1)} disabled={state.gone} />
        <IconButton
          icon={state.playing ? "pause" : "play"}
          label={state.playing ? t.pause : t.play}
          className="play"
          onClick={() => player.toggle()}
          disabled={state.gone}
        />
        <IconButton icon="forward" label={t.forward} onClick={() => skip(1)} disabled={state.gone} />
        <Choice bare label={t.speed} value={state.rate} onChange={(event) => player.setRate(Number(event.target.value))}>
          {player.rates.map((rate) => (
            <option key={rate} value={rate}>
              {rate}×
            </option>
          ))}
        </Choice>
        <Now player={player} duration={doc.transcript.duration_seconds} />
      </div>
      {state.gone ? <p className="hint">{t.soundGone}</p> : <Wave item={item} doc={doc} player={player} />}
    </section>
  );
}

function Now({ player, duration }: { player: Player; duration: number }) {
  const text = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const { audio } = player;
    const show = () => {
      if (text.current) text.current.textContent = clock(audio.currentTime);
    };
    show();
    audio.addEventListener("timeupdate", show);
    return () => audio.removeEventListener("timeupdate", show);
  }, [player]);
  return (
    <span className="now">
      <span ref={text} /> / {clock(duration)}
    </span>
  );
}

function Wave({ item, doc, player }: { item: Transcription; doc: Doc; player: Player }) {
  const container = useRef<HTMLDivElement>(null);
  const wave = useQuery({
    queryKey: ["waveform", item.file_id],
    queryFn: () => ok(api.GET("/api/v1/files/{id}/waveform", { params: { path: { id: item.file_id }, query: { points: POINTS } } })),
    staleTime: Infinity,
    // The server looks at few recordings at once, and says so.
    retry: (count, error) => (error instanceof Refusal && error.status === 503 ? count < 30 : count < 1),
    retryDelay: 2000,
  }).data;
  const turns = doc.transcript.turns;
  useEffect(() => {
    const now = container.current;
    if (!now || !wave) return;
    // A canvas knows no variables; what they stand for is asked of an element.
    const colour = (name: string) => {
      now.style.color = `var(--${name})`;
      return getComputedStyle(now).color;
    };
    const colours = Array.from({ length: COLOURS }, (_, n) => colour(`speaker-${n}`));
    const quiet = colour("line");
    // The colour of each point: of whoever speaks there.
    const of = new Int8Array(wave.peaks.length).fill(-1);
    for (const turn of turns ?? []) {
      const scale = wave.peaks.length / Math.max(0.001, wave.duration_seconds);
      of.fill(colourOf(turn.speaker), Math.floor(turn.start * scale), Math.ceil(turn.end * scale));
    }
    const surfer = WaveSurfer.create({
      container: now,
      height: HEIGHT_PX,
      media: player.audio,
      peaks: [wave.peaks],
      duration: wave.duration_seconds,
      cursorColor: colour("ink"),
      dragToSeek: true,
      cspNonce: document.querySelector<HTMLMetaElement>('meta[name="nonce"]')?.content ?? "",
      renderFunction: (channels, context) => {
        const { width, height } = context.canvas;
        const peaks = channels[0] ?? [];
        const step = Math.max(2, Math.round(3 * devicePixelRatio));
        for (let x = 0; x < width; x += step) {
          const from = Math.floor((x / width) * peaks.length);
          const to = Math.max(from + 1, Math.floor(((x + step) / width) * peaks.length));
          let peak = 0;
          for (let i = from; i < to; i += 1) peak = Math.max(peak, Math.abs(peaks[i] ?? 0));
          const tall = Math.max(devicePixelRatio, peak * height);
          const speaker = of[Math.min(of.length - 1, Math.floor((x / width) * of.length))] ?? -1;
          context.fillStyle = speaker >= 0 ? (colours[speaker] ?? quiet) : quiet;
          context.fillRect(x, (height - tall) / 2, step - devicePixelRatio, tall);
        }
      },
    });
    return () => surfer.destroy();
  }, [wave, turns, player]);
  return <div ref={container} className="wave" role="img" aria-label={t.waveform} />;
}
