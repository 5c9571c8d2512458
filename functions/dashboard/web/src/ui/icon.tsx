/** Line icons on a grid of 24, in the colour of the text. */
const PATHS = {
  waves: "M2 7c3-2.6 6-2.6 9 0s6 2.6 11 0M2 13c3-2.6 6-2.6 9 0s6 2.6 11 0M2 19c3-2.6 6-2.6 9 0s6 2.6 11 0",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z",
  help: "M9 9.3a3 3 0 1 1 4.3 2.7c-.9.5-1.3 1-1.3 2M12 17.5v.1M12 2.5a9.5 9.5 0 1 0 0 19 9.5 9.5 0 0 0 0-19",
  exit: "M14 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h8M11 12h10M17.5 8.5 21 12l-3.5 3.5",
  copy: "M9 9h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V10a1 1 0 0 1 1-1M4.5 15H4a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1h10a1 1 0 0 1 1 1v.5",
  braces:
    "M8.5 4H8a2 2 0 0 0-2 2v3.5L4 12l2 2.5V18a2 2 0 0 0 2 2h.5M15.5 4h.5a2 2 0 0 1 2 2v3.5l2 2.5-2 2.5V18a2 2 0 0 1-2 2h-.5",
  check: "M5 12.5 10 17.5 19.5 7",
  close: "M6 6l12 12M18 6 6 18",
  plus: "M12 5v14M5 12h14",
  chevron: "M9 6l6 6-6 6",
  refresh: "M20 11a8 8 0 1 0-.6 4.5M20 5v6h-6",
  warning: "M12 4 2.5 20h19ZM12 10v4.5M12 17.2v.1",
  key: "M14.5 9.5a4.5 4.5 0 1 0-3.3 4.3L13 15.5h2V18h2.5v3H21v-3.2l-6.8-6.8c.2-.5.3-1 .3-1.5M7.5 8.5v.1",
  search: "M10.5 3.5a7 7 0 1 0 0 14 7 7 0 0 0 0-14M15.7 15.7 21 21",
  play: "M7 4.5v15l12-7.5Z",
  pause: "M8 5v14M16 5v14",
  download: "M12 3v12M7 10.5l5 5 5-5M4 20h16",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3.5 2",
  minus: "M5 12h14",
  earlier: "M15 5l-7 7 7 7",
  later: "M9 5l7 7-7 7",
  down: "M12 4v15M6 13l6 6 6-6",
  up: "M12 20V5M6 11l6-6 6 6",
  enter: "M5 12h14M13 6l6 6-6 6",
  undo: "M4 9h10a5.5 5.5 0 0 1 0 11h-4M8 4.5 3.5 9 8 13.5",
  zoomout: "M10.5 3.5a7 7 0 1 0 0 14 7 7 0 0 0 0-14M15.7 15.7 21 21M7.5 10.5h6",
  filter: "M4 5h16M7 12h10M10 19h4",
  column: "M4 4h16v16H4ZM9.5 4v16M15 4v16",
  wrap: "M4 6h16M4 12h13a3.2 3.2 0 0 1 0 6.5h-5M14.5 15.5 11.5 18.5l3 3M4 18.5h4",
  order: "M7 4v16M3.5 16.5 7 20l3.5-3.5M13 6h8M13 12h6M13 18h4",
  context: "M4 5h16M4 9.5h16M4 14.5h10M4 19h10M18 14v6M15.5 17.5 18 20l2.5-2.5",
  trace: "M4 6h9M8 12h9M12 18h8",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4.2 4.2 0 0 0-6-6l-1.5 1.5M14 10a4 4 0 0 0-6-.5l-3 3a4.2 4.2 0 0 0 6 6l1.5-1.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
