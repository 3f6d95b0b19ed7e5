// The sound of a recording, and which word of it is spoken. What changes many times a second is told to those alone who
// show it.
import { useSyncExternalStore } from "react";
import { api, ok, type Transcript } from "../api/client";
import { Store } from "../store";
import { wordAt } from "./document";

const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

export class Player {
  readonly audio = new Audio();
  private transcript: Transcript | undefined;
  private frame = 0;
  private rendition: "" | "playback" = "";
  private wanted: number | undefined; // where to be once the sound is there
  private failures = 0;
  readonly state = new Store({ playing: false, rate: 1, gone: false });
  readonly word = new Store(-1); // the spoken one

  constructor(private readonly id: string) {
    this.audio.preload = "metadata";
    this.audio.addEventListener("play", () => this.set({ playing: true }));
    this.audio.addEventListener("pause", () => this.set({ playing: false }));
    this.audio.addEventListener("seeked", () => this.look());
    this.audio.addEventListener("error", () => void this.failed());
    this.audio.addEventListener("loadedmetadata", () => {
      this.failures = 0;
      if (this.wanted !== undefined) this.audio.currentTime = this.wanted;
      this.wanted = undefined;
    });
    void this.load();
  }

  end() {
    cancelAnimationFrame(this.frame);
    this.audio.pause();
    this.audio.removeAttribute("src");
  }

  private async load() {
    try {
      const link = await ok(api.POST("/api/v1/transcriptions/{id}/audio-token", { params: { path: { id: this.id } } }));
      const url = new URL(link.url, document.baseURI);
      if (this.rendition) url.searchParams.set("rendition", this.rendition);
      this.audio.src = url.href;
      this.audio.playbackRate = this.state.get().rate;
    } catch {
      this.set({ gone: true });
    }
  }

  // Links end after ten minutes, and not every browser plays every recording.
  private async failed() {
    this.failures += 1;
    const playing = this.state.get().playing;
    this.wanted = this.wanted ?? this.audio.currentTime;
    if (this.failures === 2) this.rendition = "playback";
    if (this.failures > 3) {
      this.set({ gone: true, playing: false });
      return;
    }
    await this.load();
    if (playing) await this.audio.play().catch(() => undefined);
  }

  private set(part: Partial<{ playing: boolean; rate: number; gone: boolean }>) {
    const next = { ...this.state.get(), ...part };
    cancelAnimationFrame(this.frame);
    if (next.playing) this.frame = requestAnimationFrame(this.tick);
    this.state.set(next);
  }
  private readonly tick = () => {
    this.look();
    this.frame = requestAnimationFrame(this.tick);
  };
  private look() {
    const begun = this.state.get().playing || this.audio.currentTime > 0;
    const word = this.transcript && begun ? wordAt(this.transcript.words, this.audio.currentTime) : -1;
    if (word !== this.word.get()) this.word.set(word);
  }

  follow(transcript: Transcript | undefined) {
    this.transcript = transcript;
    this.look();
  }

  toggle() {
    // Asked of the sound itself: it tells of its beginning a moment late.
    if (!this.audio.paused) this.audio.pause();
    else void this.audio.play().catch(() => undefined);
  }
  seek(seconds: number, play = false) {
    if (this.audio.readyState === 0) this.wanted = seconds;
    else this.audio.currentTime = seconds;
    if (play) void this.audio.play().catch(() => undefined);
  }
  faster(steps: number) {
    const at = RATES.indexOf(this.state.get().rate);
    this.setRate(RATES[Math.min(RATES.length - 1, Math.max(0, at + steps))] ?? 1);
  }
  setRate(rate: number) {
    this.audio.playbackRate = rate;
    this.set({ rate });
  }
  get rates() {
    return RATES;
  }
}

// The spoken word, for those whose words are in [first, end); -1 for all others.
export function useSpokenWord(player: Player, first: number, end: number) {
  return useSyncExternalStore(player.word.subscribe, () => {
    const word = player.word.get();
    return word >= first && word < end ? word : -1;
  });
}
