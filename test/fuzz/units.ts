import type { Draw } from "./draw.ts";

/** Octets, or the UTF-16 units of a text: mutations that know nothing of a format work on either. */
export type Units = Uint8Array | Uint16Array;

/** What a parser takes. */
export type Input = Uint8Array | string;

const CHUNK = 8192;

export function unitsOf(input: Input): Units {
  if (typeof input !== "string") return input;
  const units = new Uint16Array(input.length);
  for (let i = 0; i < input.length; i += 1) units[i] = input.charCodeAt(i);
  return units;
}

/** The input of the same kind as `like` that has these units. */
export function inputOf(units: Units, like: Input): Input {
  if (typeof like !== "string") return Uint8Array.from(units);
  let text = "";
  for (let at = 0; at < units.length; at += CHUNK)
    text += String.fromCharCode(...units.subarray(at, at + CHUNK));
  return text;
}

const OCTETS = [0, 1, 2, 3, 4, 0x1f, 0x20, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xfe, 0xff];
const CHARACTERS = Array.from(
  "\0\t\n\r !\"#%&'*+,-./09:;=@AZ[\\]_az{|}~\u007f\u0085é—Ⅷ\u200b\u2028\u202e\ufeff\uffff",
  (character) => character.charCodeAt(0),
).concat([0xd800, 0xdbff, 0xdc00, 0xdfff]);

function drawUnit(draw: Draw, isText: boolean): number {
  if (!isText) return draw.once(2) ? draw.pick(OCTETS) : draw.int(256);
  return draw.once(2) ? draw.pick(CHARACTERS) : 32 + draw.int(95);
}

/** Random units that resemble nothing. */
export function noise(draw: Draw, like: Input, maxLength: number): Input {
  const isText = typeof like === "string";
  const units = (
    isText ? new Uint16Array(draw.int(maxLength)) : new Uint8Array(draw.int(maxLength))
  )
    .fill(0)
    .map(() => drawUnit(draw, isText));
  return inputOf(units, like);
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function drawRange(draw: Draw, units: Units): Range {
  const from = draw.int(units.length + 1);
  const longest = draw.once(4) ? units.length - from : Math.min(16, units.length - from);
  return { from, to: from + draw.int(longest + 1) };
}

/** The units with a range of them replaced. */
function replaced(units: Units, { from, to }: Range, by: ArrayLike<number>): Units {
  const length = units.length - (to - from) + by.length;
  const out = units instanceof Uint8Array ? new Uint8Array(length) : new Uint16Array(length);
  out.set(units.subarray(0, from));
  out.set(by, from);
  out.set(units.subarray(to), from + by.length);
  return out;
}

type Mutation = (draw: Draw, units: Units, others: readonly Units[]) => Units;

const at = (position: number): Range => ({ from: position, to: position });

function changeOne(change: (unit: number, draw: Draw, isText: boolean) => number): Mutation {
  return (draw, units) => {
    const out = units.slice();
    const position = draw.int(units.length);
    out[position] = change(out[position] ?? 0, draw, units instanceof Uint16Array);
    return out;
  };
}

const MUTATIONS: readonly Mutation[] = [
  changeOne((unit, draw) => unit ^ (1 << draw.int(8))),
  changeOne((unit, draw) => unit + draw.int(9) - 4),
  changeOne((_unit, draw, isText) => drawUnit(draw, isText)),
  (draw, units) =>
    replaced(units, at(draw.int(units.length + 1)), [drawUnit(draw, units instanceof Uint16Array)]),
  (draw, units) => replaced(units, drawRange(draw, units), []),
  (draw, units) => {
    const { from, to } = drawRange(draw, units);
    return replaced(units, at(draw.int(units.length + 1)), units.slice(from, to));
  },
  (draw, units) => {
    const { from, to } = drawRange(draw, units);
    return replaced(units, drawRange(draw, units), units.slice(from, to));
  },
  (draw, units, others) => {
    const other = draw.pick(others);
    const { from, to } = drawRange(draw, other);
    return replaced(units, drawRange(draw, units), other.slice(from, to));
  },
  (draw, units, others) => {
    const other = draw.pick(others);
    const cut = draw.int(units.length + 1);
    return replaced(units, { from: cut, to: units.length }, other.slice(draw.int(other.length)));
  },
  (draw, units) => units.slice(0, draw.int(units.length + 1)),
  (draw, units) => {
    const { from, to } = drawRange(draw, units);
    const piece = units.slice(from, to);
    const times = draw.int(Math.min(400, Math.floor(20_000 / (piece.length + 1)) + 1));
    return replaced(units, at(from), Array.from({ length: times }, () => Array.from(piece)).flat());
  },
];

/** One to four changes, one after the other, that know nothing of the format but its words. */
export function mutateUnits(
  draw: Draw,
  input: Input,
  others: readonly Input[],
  words: readonly Input[],
): Input {
  const pool = others.map(unitsOf);
  const vocabulary = words.map(unitsOf);
  let units = unitsOf(input);
  for (let left = 1 + draw.int(4); left > 0; left -= 1)
    units =
      vocabulary.length > 0 && draw.once(6)
        ? replaced(units, drawRange(draw, units), draw.pick(vocabulary))
        : draw.pick(MUTATIONS)(draw, units, pool);
  return inputOf(units, input);
}
