import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  fromBase64url,
  readJwk,
  readOwnerSignature,
  readStatement,
  Refusal,
  verifyApproval,
} from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";

const file = new URL("../vectors/owner/vectors.json", import.meta.url);
const text = readFileSync(file, "utf8");
interface Vector {
  readonly name: string;
  readonly statement: string;
  readonly sig: JsonObject;
  readonly key: { readonly jwk: JsonObject; readonly app?: string };
  readonly says: string;
  readonly assurance?: number;
}
const { consent, digest, vectors } = JSON.parse(text) as {
  readonly consent: { readonly rp_id: string; readonly origin: string };
  readonly digest: string;
  readonly vectors: readonly Vector[];
}; // as the generator writes it

async function judged({ statement: octets, sig, key }: Vector): Promise<object> {
  const statement = readStatement(c, fromBase64url(octets));
  const expected = { ...key, jwk: readJwk(key.jwk) };
  try {
    const signature = readOwnerSignature(sig);
    const pages = { rpId: consent.rp_id, origins: [consent.origin] };
    const { assurance } = await verifyApproval(c, statement, signature, expected, { pages });
    return { says: "accepted", assurance };
  } catch (error) {
    if (error instanceof Refusal) return { says: error.code };
    throw error;
  }
}

describe("the vectors that we publish: test/vectors/owner", () => {
  it.each(vectors.map((row) => [row.name, row] as const))("%s", async (_name, row) => {
    const { says, assurance } = row;
    expect(await judged(row)).toEqual(assurance === undefined ? { says } : { says, assurance });
  });

  it("name the digest of the statement", () => {
    const [first] = vectors;
    expect(readStatement(c, fromBase64url(first?.statement ?? "")).cs).toBe(digest);
  });

  it("are what their generator makes, octet for octet", () => {
    const script = fileURLToPath(new URL("../../scripts/owner-vectors.mjs", import.meta.url));
    const made = spawnSync(process.execPath, [script], { encoding: "utf8", timeout: 60_000 });
    expect(made.stdout).toBe(text);
  });
});
