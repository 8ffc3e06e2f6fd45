import type { Seconds } from "@countersign/core";
import type { Gap, GapReason, Life } from "./life.ts";
import { h, svg } from "./ui/dom.ts";
import { panel } from "./ui/parts.ts";
import { moment } from "./ui/time.ts";

/** Heights in pixels: the picture is as wide as its place, and its words are not scaled. */
const TOP = 30;
const LANE = 14;
const BAR = 9;
const BOTTOM = TOP + 3 * LANE + 8;
const HEIGHT = BOTTOM + 26;

const GAP_WORDS: { readonly [R in GapReason]: string } = {
  stopped: "none: stopped",
  "no approval": "none: no approval",
  "not renewed": "none: not renewed",
};

const clock = (at: Seconds, now: Seconds): string => moment(at, now).replace("today ", "");

/** Where an instant stands, in percent of the width. */
const placeIn =
  ({ from, until }: Life) =>
  (at: Seconds): number =>
    Math.min(100, Math.max(0, (100 * (at - from)) / (until - from)));

const percent = (x: number): string => `${x.toFixed(2)}%`;

function label(x: number, y: number, words: string, className: string): SVGElement {
  const anchor = x < 12 ? "start" : x > 88 ? "end" : "middle";
  const element = svg("text", { class: className, x: percent(x), y, "text-anchor": anchor });
  element.textContent = words;
  return element;
}

function upright(x: number, y1: number, y2: number, className: string): SVGElement {
  return svg("line", { class: className, x1: percent(x), x2: percent(x), y1, y2 });
}

function ticks(life: Life): readonly SVGElement[] {
  const at = placeIn(life);
  const length = life.until - life.now;
  const minutes = (n: number): string => `${Math.round((n * length) / 60)} min`;
  return [3, 2, 1, -1].flatMap((n) => {
    const x = at(life.now - n * length);
    const words = n > 0 ? `${minutes(n)} ago` : `in ${minutes(1)}`;
    const isInner = n === 1 || n === 2;
    return [
      upright(x, TOP - 6, BOTTOM, "life-tick"),
      label(x, HEIGHT - 6, words, `life-label${isInner ? " life-inner" : ""}`),
    ];
  });
}

function gapMark(life: Life, gap: Gap): readonly SVGElement[] {
  const at = placeIn(life);
  const [x1, x2] = [at(gap.from), at(gap.until)];
  const y = TOP + LANE + BAR / 2;
  const line = svg("line", { class: "life-gap", x1: percent(x1), x2: percent(x2), y1: y, y2: y });
  const words = label((x1 + x2) / 2, TOP - 5, GAP_WORDS[gap.why], "life-label life-inner");
  return x2 - x1 > 8 ? [line, words] : [line];
}

/** A bar per credential with the stroke of its start, now, the next renewal, gaps. For the eye: the table says the same. */
function picture(life: Life): SVGElement {
  const at = placeIn(life);
  const newest = life.bars.at(-1);
  const bars = life.bars.flatMap((bar) => {
    const y = TOP + bar.lane * LANE;
    const [x1, x2] = [at(bar.from), at(bar.until)];
    const isOwn = bar === newest && bar.isAlive;
    const rect = svg("rect", {
      class: isOwn ? "life-bar life-own" : "life-bar",
      x: percent(x1),
      width: percent(x2 - x1),
      y,
      height: BAR,
      rx: 1,
    });
    if (bar.from < life.from) return [rect];
    return [rect, upright(x1, y - 3, y + BAR + 3, isOwn ? "life-start life-own" : "life-start")];
  });
  const now = at(life.now);
  const next =
    life.next === undefined
      ? []
      : [
          upright(at(life.next), TOP + LANE, BOTTOM, "life-next"),
          label(
            Math.min(at(life.next), 88.1),
            BOTTOM + 2,
            `next about ${clock(life.next, life.now)}`,
            "life-label life-own",
          ),
        ];
  return svg(
    "svg",
    { class: "life", width: "100%", height: HEIGHT, "aria-hidden": "true", focusable: "false" },
    ...ticks(life),
    ...bars,
    ...life.gaps.flatMap((gap) => gapMark(life, gap)),
    ...next,
    upright(now, TOP - 10, BOTTOM, "life-now"),
    label(now, 14, `now, ${clock(life.now, life.now)}`, "life-label life-strong"),
  );
}

interface Row {
  readonly at: Seconds;
  readonly cells: readonly string[];
}

function rowsOf({ bars, gaps, now, next }: Life): readonly Row[] {
  const given = bars.map((bar): Row => {
    const number = bar.n === undefined ? "Credential" : `Credential ${bar.n}`;
    const state = bar.isAlive ? "alive" : "over";
    return {
      at: bar.from,
      cells: [number, clock(bar.from, now), clock(bar.until, now), state, String(bar.seq)],
    };
  });
  const none = gaps.map((gap): Row => {
    const until = gap.until === now ? "now" : clock(gap.until, now);
    return { at: gap.from, cells: ["No credential", clock(gap.from, now), until, gap.why, "–"] };
  });
  const coming: readonly Row[] =
    next === undefined
      ? []
      : [{ at: next, cells: ["Next renewal", `about ${clock(next, now)}`, "–", "not yet", "–"] }];
  return [...coming, ...[...given, ...none].toSorted((a, b) => b.at - a.at)];
}

function table(life: Life): HTMLElement {
  const columns = ["What", "From", "Until", "State", "Log entry"];
  const head = h(
    "tr",
    {},
    columns.map((name) => h("th", { attrs: { scope: "col" } }, name)),
  );
  const rows = rowsOf(life).map(({ cells: [what = "", ...rest] }) =>
    h(
      "tr",
      {},
      h("th", { attrs: { scope: "row" } }, what),
      rest.map((cell) => h("td", {}, cell)),
    ),
  );
  return h(
    "div",
    { class: "table-scroll", attrs: { tabindex: 0, role: "region", "aria-label": "Credentials" } },
    h("table", { class: "table" }, h("thead", {}, head), h("tbody", {}, rows)),
  );
}

function aside({ bars, now, next }: Life): string {
  const last = bars.at(-1);
  if (last === undefined) return "none yet";
  if (!last.isAlive) return `the last one ended ${moment(last.until, now)}`;
  const ends = `This one ends at ${clock(last.until, now)}`;
  return next === undefined ? `${ends} and is not renewed` : ends;
}

export function lifePanel(life: Life): HTMLElement {
  return panel(
    "Credentials, one bar each",
    aside(life),
    h("div", { class: "panel-body" }, picture(life)),
    table(life),
  );
}
