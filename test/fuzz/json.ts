import type { Draw } from "./draw.ts";

/** JSON texts that readers disagree on, or that a reader of members may not expect. */
const VALUES: readonly string[] = [
  ..."null true false 0 1 -1 -0 0.5 1e400 1E2 9007199254740991 9007199254740992 1800000000".split(
    " ",
  ),
  ...'"" "a" "A" "__proto__" "toString" "\\u0000" "\\ud800" "\\udc00\\ud800" "\\u202e" "é"'.split(
    " ",
  ),
  ...'[] {} [null] [[]] {"":""} {"__proto__":1} {"a":1,"a":2} {"a":1,"\\u0061":2}'.split(" "),
  `"${"x".repeat(3000)}"`,
  "[".repeat(200) + "]".repeat(200),
  '{"a":'.repeat(50) + "1" + "}".repeat(50),
  "1" + "0".repeat(400),
  "01",
  "+1",
  "NaN",
  "'a'",
  "",
];
const NAMES = ["__proto__", "constructor", "toString", "", "a", "crit", "v", "\ud800"];

/** A JSON text that JSON.parse takes, with one node or member changed. */
export function mutateJson(draw: Draw, text: string): string {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return text;
  }
  const count = countNodes(root);
  const nodes = new Map<number, (shown: string) => string>();
  for (let left = 1 + draw.int(2); left > 0; left -= 1)
    nodes.set(draw.int(count), (shown) => changeNode(draw, shown));
  return render(draw, root, { nodes, next: 0, memberOf: draw.once(2) ? draw.int(count) : -1 });
}

function countNodes(value: unknown): number {
  const inner = typeof value === "object" && value !== null ? Object.values(value) : [];
  return inner.reduce<number>((sum, item) => sum + countNodes(item), 1);
}

function changeNode(draw: Draw, shown: string): string {
  switch (draw.int(6)) {
    case 0:
      return `[${shown}]`;
    case 1:
      return `{"${draw.pick(NAMES)}":${shown}}`;
    case 2:
      return shown.startsWith('"') ? changeText(draw, shown) : `"${shown.slice(0, 40)}"`;
    case 3:
      return /^-?\d+$/.test(shown) ? String(Number(shown) + draw.int(5) - 2) : shown;
    default:
      return draw.pick(VALUES);
  }
}

function changeText(draw: Draw, shown: string): string {
  const inner = shown.slice(1, -1);
  const cut = draw.int(inner.length + 1);
  const added = draw.pick(["", "A", "=", ".", "/", "\\n", "\\u0000", "é", "\\ud800", " ", inner]);
  return `"${inner.slice(0, cut)}${added}${inner.slice(cut + draw.int(3))}"`;
}

interface Plan {
  readonly nodes: ReadonlyMap<number, (shown: string) => string>;
  /** Node whose members or items are rearranged. */
  readonly memberOf: number;
  next: number;
}

function render(draw: Draw, value: unknown, plan: Plan): string {
  const number = plan.next;
  plan.next += 1;
  const shown = renderPlain(draw, value, plan, number === plan.memberOf);
  return plan.nodes.get(number)?.(shown) ?? shown;
}

function renderPlain(draw: Draw, value: unknown, plan: Plan, isRearranged: boolean): string {
  const arrange = (parts: string[]): string =>
    (isRearranged ? rearrange(draw, parts) : parts).join(",");
  if (Array.isArray(value))
    return `[${arrange(value.map((item: unknown) => render(draw, item, plan)))}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, item]) => {
    const shown = isRearranged && draw.once(8) ? draw.pick(NAMES) : name;
    return `${JSON.stringify(shown)}:${render(draw, item, plan)}`;
  });
  if (isRearranged && draw.once(3))
    members.push(`${JSON.stringify(draw.pick(NAMES))}:${draw.pick(VALUES)}`);
  return `{${arrange(members)}}`;
}

/** Leaves one out, says one twice, or puts one last. */
function rearrange(draw: Draw, parts: string[]): string[] {
  if (parts.length === 0) return parts;
  const [taken] = parts.splice(draw.int(parts.length), 1);
  if (taken === undefined || draw.once(3)) return parts;
  return [...parts, ...Array.from({ length: draw.pick([1, 2, 2, 40]) }, () => taken)];
}
