// Light, dark, or as the system has it.
const KEY = "hansard.theme";
export type Theme = "auto" | "light" | "dark";

export const theme = (): Theme => (localStorage.getItem(KEY) as Theme | null) ?? "auto";

export function applyTheme(chosen?: Theme) {
  if (chosen) localStorage.setItem(KEY, chosen);
  const now = theme();
  if (now === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = now;
}
