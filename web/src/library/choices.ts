// How recordings are to be read, as last chosen in this browser.
import type { Options } from "../api/client";

const KEY = "hansard.choices";

export interface Choices {
  language: string; // "auto" or a code
  model: string; // "" is the server's default
  diarization: boolean;
  speakers: number; // 0: to be found out
}

export function storedChoices(): Choices {
  const fresh: Choices = { language: "auto", model: "", diarization: true, speakers: 0 };
  try {
    return { ...fresh, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Choices>) };
  } catch {
    return fresh;
  }
}
export const keepChoices = (choices: Choices) => localStorage.setItem(KEY, JSON.stringify(choices));

export function optionsOf(choices: Choices): Options {
  return {
    ...(choices.language === "auto" ? {} : { language: choices.language }),
    ...(choices.model ? { model: choices.model } : {}),
    diarization: choices.diarization,
    ...(choices.diarization && choices.speakers > 0 ? { num_speakers: choices.speakers } : {}),
  };
}
