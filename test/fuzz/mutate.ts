import { base64, base64url, fromBase64url, fromUtf8, pemEncode, utf8 } from "@countersign/core";
import { mutateDer } from "./der.ts";
import type { Draw } from "./draw.ts";
import { mutateJson } from "./json.ts";
import { mutateUnits, noise } from "./units.ts";
import type { Input } from "./units.ts";

/** Which format a sample has, so that a change may leave the rest of it standing. */
export type Shape = "json" | "jws" | "der" | "ssh" | "cbor" | "lines" | "yaml" | "plain";

const hexWords = (text: string): readonly Uint8Array[] =>
  text.split(" ").map((word) => new Uint8Array(Buffer.from(word, "hex")));

const WORDS: Readonly<Record<Shape, readonly Input[]>> = {
  json: [
    '"__proto__":1,',
    "null",
    "-0",
    "1e400",
    "\\ud800",
    '"a":1,"a":2',
    "\ufeff",
    "{",
    "}]",
    ",",
  ],
  jws: [".", "..", "e30", "bnVsbA", "W10", "=", "A".repeat(2000), "eyJhbGciOiJub25lIn0"],
  der: hexWords(
    "3080 0500 020100 0201ff 3084ffffffff 1f8101 0400 0300 030100 0c00 a000 06032a0304",
  ),
  ssh: hexWords("00000000 ffffffff 00004001 0000000b7373682d65643235353139 00000001"),
  cbor: hexWords(
    "5f 7f 9f bf ff f6 c0 f5 1bffffffffffffffff 5affffffff 9affffffff a10000 8181818181 1817",
  ),
  lines: ["\n\n", "\n", "— ", "+", " 0 ", "AAAA", "=", "-----BEGIN CERTIFICATE-----\n", "index "],
  yaml: [
    " &a ",
    " *a",
    "!!str ",
    "? ",
    "- ",
    "<<: ",
    "%YAML 1.1\n",
    " |\n  ",
    "---\n",
    "{",
    "[",
    "#",
  ],
  plain: ["/", ":", "//", "%2f", "..", "@", "?", "#", "[::1]", " ", "\0", "a".repeat(300)],
};

const octetsOf = (word: Input): Uint8Array => (typeof word === "string" ? utf8(word) : word);

const decoded = (part: string): string | undefined => {
  try {
    return fromUtf8(fromBase64url(part));
  } catch {
    return undefined;
  }
};

/** A compact JWS with header or payload changed and written anew. */
function mutateJws(draw: Draw, text: string): string {
  const parts = text.split(".");
  const at = draw.int(Math.min(2, parts.length));
  const json = decoded(parts[at] ?? "");
  if (json === undefined) return text;
  parts[at] = base64url(utf8(mutateJson(draw, json)));
  return parts.join(".");
}

/** DER inside of PEM or bare base64, changed and wrapped again. */
function mutateWrapped(draw: Draw, text: string): string {
  const [, label, body] = /^-----BEGIN ([A-Z ]+)-----\n([^-]*)-----END/.exec(text) ?? [
    undefined,
    undefined,
    text,
  ];
  const octets = mutateDer(draw, new Uint8Array(Buffer.from(body ?? "", "base64")));
  return label === undefined ? `${base64(octets)}\n` : pemEncode(label, octets);
}

function mutateShape(draw: Draw, shape: Shape, input: Input): Input {
  if (typeof input !== "string") {
    if (shape === "der") return mutateDer(draw, input);
    const text = shape === "json" ? Buffer.from(input).toString("utf8") : undefined;
    return text === undefined ? input : utf8(mutateJson(draw, text));
  }
  if (shape === "json") return mutateJson(draw, input);
  if (shape === "jws") return mutateJws(draw, input);
  return shape === "der" ? mutateWrapped(draw, input) : input;
}

/** Something to give to a parser: noise, a sample with blind changes, or one with changes that keep its format. */
export function hostile(draw: Draw, shape: Shape, corpus: readonly [Input, ...Input[]]): Input {
  const input = draw.pick(corpus);
  const kind = draw.int(16);
  if (kind === 0) return noise(draw, input, 300);
  const words = typeof input === "string" ? WORDS[shape] : WORDS[shape].map(octetsOf);
  if (kind < 8) return mutateUnits(draw, input, corpus, words);
  const shaped = mutateShape(draw, shape, input);
  return kind < 15 ? shaped : mutateUnits(draw, shaped, corpus, words);
}

/** Inputs of exactly this length: repeated samples, openers and noise, as large as may be and one more. */
export function bombs(shape: Shape, sample: Input, length: number): readonly Input[] {
  if (typeof sample !== "string") {
    const filled = (octet: number): Uint8Array => new Uint8Array(length).fill(octet);
    const padded = filled(0x20);
    padded.set(sample.subarray(0, length));
    return [padded, ...[0, 0x30, 0x5b, 0xff].map(filled)];
  }
  const openers = ["[", '{"a":', "A", "\n", " ", ".", "/", "a=", "é", '"', "- ", "{", "-", "&a "];
  const repeat = (piece: string): string => piece.repeat(Math.ceil(length / piece.length));
  const inner = shape === "json" ? [`["${"x".repeat(Math.max(0, length - 4))}"]`] : [];
  return [sample.padEnd(length, " "), repeat(sample), ...openers.map(repeat), ...inner].map(
    (text) => text.slice(0, length),
  );
}
