import { svg } from "./dom.ts";

const PATHS = {
  inbox: "M3 11.5 5.5 4h9l2.5 7.5V16H3zM3 11.5h4l1 2h4l1-2h4",
  agents: "M3.5 3.5h13v13h-13zM10 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  log: "M3.5 5h13M3.5 10h13M3.5 15h8",
  keys: "M8 12.5a4 4 0 1 1-1.2-2.85M7.5 9 16 2.5l1.5 2M13 5l1.5 2",
  stop: "M7 2.5h6L17.5 7v6L13 17.5H7L2.5 13V7zM6.5 10h7",
  warning: "M10 3 18 17H2zM10 8v4M10 14.5v.5",
  check: "M4 10.5 8 14.5 16 5.5",
  cross: "M5 5l10 10M15 5 5 15",
  clock: "M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15zM10 6v4l3 2",
  back: "M12 4.5 6.5 10l5.5 5.5",
  offline:
    "M3 3l14 14M7.2 5.6A5 5 0 0 1 14.5 9a3.6 3.6 0 0 1 1.9 6.4M5.2 8.6A3.8 3.8 0 0 0 6 16h6.5",
  host: "M3 4h14v9H3zM7 16.5h6M10 13v3.5",
  dash: "M5 10h10",
  next: "M4 10h11M11 5.5l4.5 4.5-4.5 4.5",
  box: "M3.5 3.5h13v13h-13z",
} as const;

export type IconName = keyof typeof PATHS;

/** A drawing on a grid of 20; it says nothing that no word beside it says. */
export function icon(name: IconName, className = "icon"): SVGElement {
  return svg(
    "svg",
    { class: className, viewBox: "0 0 20 20", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: PATHS[name] }),
  );
}
