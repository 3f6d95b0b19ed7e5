// Line drawings of 20 by 20, one path each.
const paths = {
  close: "M5 5l10 10M15 5L5 15",
  more: "M10 5v.01M10 10v.01M10 15v.01",
  play: "M7 4.5v11l8.5-5.5z",
  pause: "M7 5v10M13 5v10",
  back: "M9 5l-5 5 5 5M4 10h12",
  backward: "M15 5v10l-7-5zM5 5v10",
  forward: "M5 5v10l7-5zM15 5v10",
  plus: "M10 4v12M4 10h12",
  search: "M9 14.5a5.5 5.5 0 100-11 5.5 5.5 0 000 11zM13 13l4 4",
  settings: "M3 6h8m4 0h2M3 14h2m4 0h8M11 4v4M9 12v4",
  edit: "M4 16l.8-3.2L13 4.600l2.400 2.400L7.200 15.200z",
  download: "M10 3v9m0 0l-4-4m4 4l4-4M4 16h12",
  keys: "M3 6h14v8H3zM6 9v.01M9 9v.01M12 9v.01M14.500 9v.01M7 11.500h6",
  history: "M4 4v4h4M4.500 8A6 6 0 1110 16M10 7v3.500l2.500 1.500",
  replace: "M9 13.500a4.500 4.500 0 100-9 4.500 4.500 0 000 9zM12.500 12.500L17 17",
  recordings: "M3 8.5v3M6.500 6v8M10 3.500v13M13.500 6v8M17 8.500v3",
  check: "M4 10.500l4 4 8-9",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" strokeLinejoin="round">
      <path d={paths[name]} />
    </svg>
  );
}
