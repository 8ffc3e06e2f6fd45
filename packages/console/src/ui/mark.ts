import { svg } from "./dom.ts";

/** What became of a request, as the mark of two strokes says it. Always beside a word: the mark itself is not read out. */
export type MarkState = "nobody" | "agent" | "signed" | "denied" | "ended" | "stopped";

const LINE = "M{x} 27h12";
const at = (path: string, x: number): string => path.replace("{x}", String(x));

/** The right half of each state: its line and what stands on it. */
const RIGHT: { readonly [S in MarkState]: readonly (readonly [name: string, path: string])[] } = {
  nobody: [["mark-open", at(LINE, 24)]],
  agent: [["mark-own mark-open", at(LINE, 24)]],
  signed: [
    ["mark-own", "M27 20 32 6"],
    ["mark-own", at(LINE, 24)],
  ],
  denied: [
    ["mark-stop", "M26 10l8 9M34 10l-8 9"],
    ["mark-stop", at(LINE, 24)],
  ],
  ended: [
    ["mark-faint", "M26 13h8"],
    ["mark-open", at(LINE, 24)],
  ],
  stopped: [
    ["mark-own", "M27 20 32 6"],
    ["mark-own", at(LINE, 24)],
    ["mark-stop mark-across", "M4 15h34"],
  ],
};

/** The mark of a state, 40 by 32 units. */
export function mark(state: MarkState, className = "mark"): SVGElement {
  const left =
    state === "nobody"
      ? [svg("path", { class: "mark-open", d: at(LINE, 5) })]
      : [
          svg("path", { class: "mark-agent", d: "M8 20 13 6" }),
          svg("path", { class: "mark-agent", d: at(LINE, 5) }),
        ];
  const right = RIGHT[state].map(([name, d]) => svg("path", { class: name, d }));
  return svg(
    "svg",
    { class: className, viewBox: "0 0 42 32", "aria-hidden": "true", focusable: "false" },
    ...left,
    ...right,
  );
}
