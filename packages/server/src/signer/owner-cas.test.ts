import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildRoot, pemEncode, Refusal } from "@countersign/core";
import { generateSigner, nodeCrypto as c, nodeRandom, parseConfig } from "@countersign/node";
import { configOf, SERVER_SCHEMA } from "../config.ts";
import { START } from "../world.testing.ts";
import { readOwnerCas } from "./owner-cas.ts";

const EKU = "1.3.6.1.4.1.32473.5.1";
const root = {
  serial: nodeRandom(20),
  notBefore: START,
  notAfter: START + 86_400,
  origin: "spiffe://corp.example",
  hierarchy: "agents",
  name: "Owners",
} as const;
const der = await buildRoot(c, root, generateSigner());

describe("CAs of owners in the configuration", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "countersign-owner-cas-"));
    writeFileSync(join(folder, "ca.pem"), pemEncode("CERTIFICATE", der));
    writeFileSync(join(folder, "empty.pem"), "");
    writeFileSync(join(folder, "words.pem"), "no certificate");
    writeFileSync(join(folder, "spoilt.pem"), pemEncode("CERTIFICATE", der.subarray(0, 40)));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const read = (...texts: readonly string[]): ReturnType<typeof readOwnerCas> => {
    const yaml = `trust_domain: example.org\nowner_cas: ${JSON.stringify(texts)}\n`;
    return readOwnerCas(configOf(parseConfig(yaml, SERVER_SCHEMA)));
  };

  it("are read from the files named, each with its usage", async () => {
    expect(await read()).toEqual([]);
    expect(await read(`${EKU}@${join(folder, "ca.pem")}`)).toEqual([
      { certificates: [der], eku: EKU },
    ]);
  });

  it.each([
    ["a file alone", "/ca.pem"],
    ["a usage alone", EKU],
    ["a relative path", `${EKU}@ca.pem`],
    ["a word for a usage", "emailProtection@/ca.pem"],
    ["no object identifier", "1.3.6.@FOLDER/ca.pem"],
    ["any usage", "2.5.29.37.0@FOLDER/ca.pem"],
    ["a file that is not there", `${EKU}@FOLDER/none.pem`],
    ["a file without a certificate", `${EKU}@FOLDER/words.pem`],
    ["an empty file", `${EKU}@FOLDER/empty.pem`],
    ["a certificate cut off", `${EKU}@FOLDER/spoilt.pem`],
  ])("refuse %s", async (_name, text) => {
    const asked = async (): Promise<unknown> => read(text.replace("FOLDER", folder));
    const problem = await asked().catch((error: unknown) => error);
    if (!(problem instanceof Refusal)) throw new Error(`not refused: ${String(problem)}`);
    expect(problem.code).toBe("configuration_invalid");
    expect(problem.message).toContain("owner_cas");
  });
});
