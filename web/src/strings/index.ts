// The catalog of the reader's language. Chosen once, before anything is drawn; another choice loads the page anew.
import { en, type Strings } from "./en";

const KEY = "hansard.language";
export const languages = ["en", "de"] as const;
export type Language = (typeof languages)[number];

function chosen(): Language {
  const stored = localStorage.getItem(KEY);
  for (const tag of stored ? [stored] : navigator.languages) {
    const found = languages.find((language) => tag.toLowerCase().startsWith(language));
    if (found) return found;
  }
  return "en";
}

export const language = chosen();
export let t: Strings = en;

export async function loadStrings() {
  if (language === "de") t = (await import("./de")).de;
  document.documentElement.lang = language;
}

export function choose(next: Language) {
  localStorage.setItem(KEY, next);
  location.reload();
}
