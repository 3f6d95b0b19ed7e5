// A transcript as the page works on it: which words are whose, and where they lie.
import type { Segment, Transcript, Word } from "../api/client";
import { t } from "../strings";

export interface Line {
  segment: Segment;
  firstWord: number; // of the transcript's words
  endWord: number; // one behind its last
}

export interface Doc {
  transcript: Transcript;
  lines: Line[];
  indexOf: Map<string, number>; // of lines, by the segment's id
}

// Words come in the order of the segments, and a segment's text is its words.
export function readDoc(transcript: Transcript): Doc {
  const { segments, words } = transcript;
  let next = 0;
  const lines = segments.map((segment) => {
    const firstWord = next;
    let at = 0;
    for (let word = words[next]; word; word = words[next]) {
      while (segment.text[at] === " ") at += 1;
      if (at >= segment.text.length || !segment.text.startsWith(word.word.trim(), at)) break;
      at += word.word.trim().length;
      next += 1;
    }
    return { segment, firstWord, endWord: next };
  });
  return { transcript, lines, indexOf: new Map(lines.map((line, at) => [line.segment.id, at])) };
}

// The last of what `of` puts in order that is not above `limit`; -1 where all are.
function lastUpTo<T>(items: readonly T[], limit: number, of: (item: T) => number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(items[middle] as T) <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// The last that begins at or before `seconds`; -1 before the first.
export const lastAt = (items: readonly { start: number }[], seconds: number) => lastUpTo(items, seconds, (item) => item.start);

// The line to which a word belongs: lines without words begin at the word of the next one.
export const lineOfWord = (doc: Doc, word: number) => lastUpTo(doc.lines, word, (line) => line.firstWord);

// The part to go to from `seconds`: the next one, or back to where this one begins, from there to the one before.
export function sentence(segments: readonly Segment[], seconds: number, step: 1 | -1): number {
  const at = lastAt(segments, seconds);
  const begun = seconds - (segments[at]?.start ?? 0) > 1.5;
  const to = step < 0 && begun ? at : at + step;
  return Math.max(0, Math.min(segments.length - 1, to));
}

// The word that is spoken at `seconds`, -1 in a pause of more than a moment.
export function wordAt(words: readonly Word[], seconds: number): number {
  const at = lastAt(words, seconds);
  const word = words[at];
  return word && seconds < word.end + 0.4 ? at : -1;
}

export function speakerName(transcript: Transcript, id: string | undefined): string {
  if (!id) return t.nobody;
  const speakers = transcript.speakers ?? [];
  const at = speakers.findIndex((speaker) => speaker.id === id);
  return speakers[at]?.name ?? t.speaker(Number(/[0-9]+$/.exec(id)?.[0] ?? at) + 1);
}

// Speakers keep their colour whatever becomes of the others.
export const COLOURS = 8;
export const colourOf = (id: string | undefined) => (id ? Number(/[0-9]+$/.exec(id)?.[0] ?? 0) % COLOURS : -1);

export function freshSpeaker(transcript: Transcript): string {
  const taken = (transcript.speakers ?? []).map((speaker) => Number(/[0-9]+$/.exec(speaker.id)?.[0] ?? -1));
  return `SPEAKER_${String(Math.max(-1, ...taken) + 1).padStart(2, "0")}`;
}

// The words of both, in order, and which of the two they are in, by the longest run of words that both have in common.
export function compareWords(before: string, now: string): { word: string; only?: "before" | "now" }[] {
  const a = before.split(/\s+/).filter(Boolean);
  const b = now.split(/\s+/).filter(Boolean);
  // lengths[i][j]: of the longest common subsequence of a[i…] and b[j…].
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    const row = lengths[i] as Uint16Array;
    const below = lengths[i + 1] as Uint16Array;
    for (let j = b.length - 1; j >= 0; j -= 1) {
      row[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  const result: { word: string; only?: "before" | "now" }[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      result.push({ word: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && (lengths[i + 1]?.[j] ?? 0) >= (lengths[i]?.[j + 1] ?? 0))) {
      result.push({ word: a[i] ?? "", only: "before" });
      i += 1;
    } else {
      result.push({ word: b[j] ?? "", only: "now" });
      j += 1;
    }
  }
  return result;
}
