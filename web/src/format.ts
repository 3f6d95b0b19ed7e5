// Times, sizes and dates as the reader's language writes them.
import { language, t } from "./strings";

// 75.2 → "1:15"; from an hour on "1:01:15".
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const h = Math.floor(whole / 3600);
  const m = Math.floor((whole % 3600) / 60);
  const s = String(whole % 60).padStart(2, "0");
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

export function roughly(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return t.minutes(Math.round(seconds / 60));
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let value = count;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: value < 10 && at > 0 ? 1 : 0 }).format(value)}\u00a0${units[at]}`;
}

const dates = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const moments = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
export const date = (iso: string) => dates.format(new Date(iso));
export const moment = (iso: string) => moments.format(new Date(iso));

const languageNames = new Intl.DisplayNames([language], { type: "language" });
export function languageName(code: string): string {
  try {
    return languageNames.of(code) ?? code;
  } catch {
    return code;
  }
}
export const percent = (share: number) => `${Math.round(share * 100)} %`;
