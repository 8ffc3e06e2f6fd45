import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64, fromBase64 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { openCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { openNote, parseVkey, signNote, vkeyOf } from "./note.ts";
import { emptyRoot } from "./tree.ts";

const log = generateSigner("Ed25519");
const other = generateSigner("Ed25519");
const NAME = "id.example.com/log";
const vkey = vkeyOf(c, NAME, log.key);

async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "ok";
  } catch (error) {
    return error instanceof Refusal ? error.code : `bug: ${String(error)}`;
  }
}

describe("verifier key", () => {
  it("reads what it writes", () => {
    const key = parseVkey(c, vkey);
    expect(key.name).toBe(NAME);
    expect(key.key).toEqual(log.key);
    expect(vkeyOf(c, key.name, key.key)).toBe(vkey);
  });

  const [name = "", id = ""] = vkey.split("+");
  const body = vkey.slice(name.length + id.length + 2);
  const typed = (type: number): string =>
    base64(fromBase64(body).map((octet, at) => (at === 0 ? type : octet)));
  it.each([
    ["the key", vkey, "ok"],
    ["another name", `x${vkey}`, "checkpoint_invalid"],
    ["another id", `${name}+00000000+${body}`, "checkpoint_invalid"],
    ["an id in capitals", `${name}+${id.toUpperCase()}x+${body}`, "checkpoint_invalid"],
    ["the type of cosignatures", `${name}+${id}+${typed(4)}`, "checkpoint_invalid"],
    ["a space in the name", vkey.replace("id.", "id "), "checkpoint_invalid"],
    ["base64 of other length", `${name}+${id}+${body.slice(4)}`, "checkpoint_invalid"],
    ["a line end", `${vkey}\n`, "checkpoint_invalid"],
    ["nothing", "", "checkpoint_invalid"],
  ])("judges %s", async (_, text, code) => {
    expect(await codeOf(() => parseVkey(c, text))).toBe(code);
  });

  it("is not made of other kinds of key, nor of names that a note cannot carry", async () => {
    expect(await codeOf(() => vkeyOf(c, NAME, generateSigner().key))).toBe("checkpoint_invalid");
    for (const bad of ["", "a b", "a+b", "a\nb", "a\u00a0b"])
      expect(await codeOf(() => vkeyOf(c, bad, log.key))).toBe("checkpoint_invalid");
  });
});

describe("checkpoint", async () => {
  const head = { origin: NAME, size: 7, root: emptyRoot(c) };
  const text = await signCheckpoint(c, head, log);
  const body = text.slice(0, text.indexOf("\n\n") + 1);
  const line = text.slice(body.length + 1);
  const foreign = (await signNote(c, body, NAME, other)).slice(body.length + 1);
  const signed = (note: string): Promise<string> => signNote(c, note, NAME, log);

  it("reads what it writes", async () => {
    expect(await openCheckpoint(c, text, vkey)).toEqual({ ...head, text });
  });

  it.each<[string, string | Promise<string>, string]>([
    ["the checkpoint", text, "ok"],
    ["a line of a witness", `${text}— witness.example ${base64(new Uint8Array(76))}\n`, "ok"],
    ["a line of another key of the same name", `${body}\n${foreign}${line}`, "ok"],
    ["an extension line", signed(`${body}extension\n`), "ok"],
    ["only another key", `${body}\n${foreign}`, "checkpoint_invalid"],
    [
      "another origin under the same key",
      signed(body.replace(NAME, `${NAME}2`)),
      "checkpoint_invalid",
    ],
    ["another size", text.replace("\n7\n", "\n8\n"), "checkpoint_invalid"],
    [
      "a signed size with a zero in front",
      signed(body.replace("\n7\n", "\n07\n")),
      "checkpoint_invalid",
    ],
    ["a signed negative size", signed(body.replace("\n7\n", "\n-7\n")), "checkpoint_invalid"],
    [
      "a signed size that is not safe",
      signed(body.replace("\n7\n", "\n9999999999999999\n")),
      "checkpoint_invalid",
    ],
    ["a signed root of other length", signed(body.replace("47DE", "")), "checkpoint_invalid"],
    ["two signed lines", signed(`${NAME}\n7\n`), "checkpoint_invalid"],
    ["an empty extension line", signed(`${body}\nmore\n`), "checkpoint_invalid"],
    ["no signature", body, "checkpoint_invalid"],
    ["an empty signature block", `${body}\n\n`, "checkpoint_invalid"],
    ["no line end at the end", text.slice(0, -1), "checkpoint_invalid"],
    ["a carriage return", text.replace("\n7\n", "\r\n7\n"), "checkpoint_invalid"],
    ["a line that is no signature", `${text}hello\n`, "checkpoint_invalid"],
    ["a hyphen for the dash", text.replace("—", "-"), "checkpoint_invalid"],
    [
      "one broken line of our key beside a good one",
      `${text}${line.replace(/.{8}=\n$/, "AAAAAAA=\n")}`,
      "checkpoint_invalid",
    ],
    ["signatures without end", `${body}\n${line.repeat(65)}`, "checkpoint_invalid"],
    ["a note without end", `${body}${"x".repeat(200_000)}\n\n${line}`, "checkpoint_invalid"],
    ["nothing", "", "checkpoint_invalid"],
  ])("judges %s", async (_, note, code) => {
    const given = await note;
    expect(await codeOf(() => openCheckpoint(c, given, vkey))).toBe(code);
  });

  it("is not signed for an origin of two lines, nor by other kinds of key", async () => {
    const twoLines = { ...head, origin: "a\nb" };
    expect(await codeOf(() => signCheckpoint(c, twoLines, log))).toBe("checkpoint_invalid");
    expect(await codeOf(() => signCheckpoint(c, head, generateSigner()))).toBe(
      "checkpoint_invalid",
    );
    expect(await codeOf(() => signNote(c, "no line end", NAME, log))).toBe("checkpoint_invalid");
  });

  it("refuses any change of one character", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), async (at) => {
        const changed = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
        expect(await codeOf(() => openCheckpoint(c, changed, vkey))).toBe("checkpoint_invalid");
      }),
      { seed: 1, numRuns: 150 },
    );
  });

  it("answers any text with a refusal", async () => {
    const key = parseVkey(c, vkey);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (noise) => {
        expect(await codeOf(() => openNote(c, noise, key))).toBe("checkpoint_invalid");
        expect(await codeOf(() => openNote(c, `${noise}\n\n— ${noise}\n`, key))).toBe(
          "checkpoint_invalid",
        );
      }),
      { seed: 2, numRuns: 100 },
    );
  });
});
