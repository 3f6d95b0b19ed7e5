// How recordings are to be read, as last chosen in this browser.
import { api, ok, type Options } from "../api/client";

const KEY = "hansard.choices";

export const presets = ["fast", "balanced", "accurate"] as const;

export interface Choices {
  language: string; // "auto" or a code
  model: string; // "" is the server's default
  preset: (typeof presets)[number];
  diarization: boolean;
  speakers: number; // 0: to be found out
  profile?: string | undefined; // read as this profile says, and all else here does not count
}

export function storedChoices(): Choices {
  const fresh: Choices = { language: "auto", model: "", preset: "balanced", diarization: true, speakers: 0 };
  try {
    return { ...fresh, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Choices>) };
  } catch {
    return fresh;
  }
}
export const keepChoices = (choices: Choices) => localStorage.setItem(KEY, JSON.stringify(choices));

export function choicesOf(options: Options): Choices {
  return {
    language: options.language ?? "auto",
    model: options.model ?? "",
    preset: options.preset ?? "balanced",
    diarization: options.diarization ?? true,
    speakers: options.num_speakers ?? 0,
  };
}

// What a new transcription is asked for, but for its recording.
export type Wanted = { options: Options } | { profile_id: string };
export const wantedOf = (choices: Choices): Wanted =>
  choices.profile ? { profile_id: choices.profile } : { options: optionsOf(choices) };

export const transcribeFile = (fileId: string, wanted = wantedOf(storedChoices())) =>
  ok(api.POST("/api/v1/transcriptions", { body: { file_id: fileId, ...wanted } }));

// What is not among the choices stays as it was in `before`.
export function optionsOf(choices: Choices, before: Options = {}): Options {
  const { language: _language, model: _model, preset: _preset, diarization: _diarization, num_speakers: _speakers, ...rest } = before;
  // The server takes how many there are, or within what bounds.
  if (choices.diarization && choices.speakers > 0) {
    delete rest.min_speakers;
    delete rest.max_speakers;
  }
  return {
    ...rest,
    // Said in any case: the default profile may say another one.
    language: choices.language,
    ...(choices.model ? { model: choices.model } : {}),
    preset: choices.preset,
    diarization: choices.diarization,
    ...(choices.diarization && choices.speakers > 0 ? { num_speakers: choices.speakers } : {}),
  };
}
