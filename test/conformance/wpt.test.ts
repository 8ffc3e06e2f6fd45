import { describe, expect, test } from "vitest";
import {
  answerOf,
  credentialsOf,
  FOREIGN_PROOF_LIFE_SECONDS,
  hashOf,
  memoryReplayStore,
  OWN_PROOF_LIFE_SECONDS,
  Refusal,
  verifyWit,
  verifyWpt,
} from "@countersign/core";
import type { HeaderLines, ProofInput } from "@countersign/core";
import { nodeCrypto } from "../../packages/node/src/crypto.ts";
import { trustIn } from "./keys.ts";
import type { PrintedJwk } from "./keys.ts";
import { labelOf, outcomeOf } from "./outcome.ts";
import { vectors, vectorsPresent } from "./vectors.ts";

interface Example {
  readonly proof: string;
  readonly request: { readonly headers: HeaderLines };
  readonly expected_aud: string;
  readonly issuer_public_jwk: PrintedJwk;
  readonly verify_now: number;
}
interface Wimsey {
  readonly issuer_private_jwk: PrintedJwk;
  readonly wit: string;
  readonly proof: string;
  readonly audience: string;
  readonly txn_token: string;
  readonly other_tokens: Readonly<Record<string, string>>;
  readonly verify_now: number;
}
interface Negatives {
  readonly header_cases: readonly { id: string; expect: string }[];
  readonly cases: readonly {
    id: string;
    expect: string;
    verify_now: number;
    proof: string;
    txn_token?: string | null;
  }[];
}

const fresh = (): ProofInput["replay"] => memoryReplayStore({ maxEntries: 100 });

describe.skipIf(!vectorsPresent)("draft-ietf-wimse-wpt-02: published proofs", () => {
  test("W-39: 2 the draft's example verifies from its request", async () => {
    const v = vectors<Example>("wimse/wpt/wpt-02-example.json");
    const shown = credentialsOf(v.request.headers);
    const trust = trustIn("wimse://example.com", v.issuer_public_jwk);
    const wit = await verifyWit(nodeCrypto, shown.wit, trust, v.verify_now);
    const proof = await verifyWpt(nodeCrypto, {
      proof: shown.proof,
      wit,
      headers: v.request.headers,
      audiences: [v.expected_aud],
      maxLifeSeconds: OWN_PROOF_LIFE_SECONDS,
      now: v.verify_now,
      skewSeconds: 0,
      replay: fresh(),
    });
    expect(proof.caller.uri).toBe("wimse://example.com/specific-workload");
    expect(proof.jti).toBe("__bwc4ESC3acc2LTC1-_x");
  });
});

describe.skipIf(!vectorsPresent)("draft-ietf-wimse-wpt-02: derived", () => {
  const base = vectorsPresent ? vectors<Wimsey>("wimse/wpt/wimsey-wpt-02-es256.json") : undefined;
  const negatives = vectorsPresent
    ? vectors<Negatives>("wimse/wpt/derived-negatives.json")
    : { cases: [], header_cases: [] };

  async function inputFor(now: number, change: Partial<ProofInput> = {}): Promise<ProofInput> {
    if (base === undefined) throw new Error("no vectors");
    const trust = trustIn("spiffe://example.org", base.issuer_private_jwk);
    return {
      proof: base.proof,
      wit: await verifyWit(nodeCrypto, base.wit, trust, 1700000000),
      headers: [["Txn-Token", base.txn_token], ...Object.entries(base.other_tokens)],
      audiences: [base.audience],
      contextHeaders: Object.keys(base.other_tokens),
      maxLifeSeconds: FOREIGN_PROOF_LIFE_SECONDS,
      now,
      replay: fresh(),
      ...change,
    };
  }

  test("W-40: tth and oth verify, and the hashes are these", async () => {
    const proof = await verifyWpt(nodeCrypto, await inputFor(1700000100));
    expect(proof.txnToken).toBe(base?.txn_token);
    expect(proof.context.get("ctx-token")).toBe("ctx-token-0123456789abcdef");
    expect(hashOf(nodeCrypto, base?.wit ?? "")).toBe("YuJqcoT0EIZFXONz7tc3vSiB2TPBgu29KAjGnjuE5BY");
    expect(hashOf(nodeCrypto, base?.txn_token ?? "")).toBe(
      "wNqPGTS3vp4Z59s2IowQGx2IxpTDGcVOshjj3w5YyMw",
    );
  });

  test.each(negatives.cases.filter((row) => row.id !== "replay"))("W-41: $id", async (row) => {
    for (const skewSeconds of [0, 60, 120]) {
      const usual = await inputFor(row.verify_now, { proof: row.proof, skewSeconds });
      const headers =
        row.txn_token === null
          ? usual.headers.filter(([name]) => name !== "Txn-Token")
          : usual.headers;
      const run = (): unknown => verifyWpt(nodeCrypto, { ...usual, headers });
      expect(await outcomeOf(run)).toBe(labelOf(row.expect));
    }
  });

  test("W-47: 3.1.4 the second use of a jti is refused, until the proof has expired", async () => {
    const row = negatives.cases.find(({ id }) => id === "replay");
    const input = await inputFor(1700000100, { proof: row?.proof ?? "" });
    expect(await outcomeOf(() => verifyWpt(nodeCrypto, input))).toBe("accepted");
    expect(await outcomeOf(() => verifyWpt(nodeCrypto, input))).toBe("replayed");
    const last = { ...input, now: 1700000309 };
    expect(await outcomeOf(() => verifyWpt(nodeCrypto, last))).toBe("replayed");
    expect(await outcomeOf(() => verifyWpt(nodeCrypto, { ...input, now: 1700000310 }))).toBe(
      "expired",
    );
  });

  test("W-47: a refused proof does not fill the store", async () => {
    const input = await inputFor(1700000100);
    const wrong = { ...input, audiences: ["https://other.example/path"] };
    expect(await outcomeOf(() => verifyWpt(nodeCrypto, wrong))).toBe("audience_mismatch");
    expect(await outcomeOf(() => verifyWpt(nodeCrypto, input))).toBe("accepted");
  });

  const wit = base?.wit ?? "";
  const proof = base?.proof ?? "";
  const lines: Readonly<Record<string, HeaderLines>> = {
    "two-authorization-fields": [
      ["Workload-Identity-Token", wit],
      ["Authorization", `WPT ${proof}`],
      ["authorization", `WPT ${proof}`],
    ],
    "scheme-lowercase-wpt": [
      ["workload-identity-token", wit],
      ["Authorization", `wpt ${proof}`],
    ],
    "authorization-bearer-with-wpt": [
      ["Workload-Identity-Token", wit],
      ["Authorization", `Bearer ${proof}`],
    ],
    "legacy-workload-proof-token-header-only": [
      ["Workload-Identity-Token", wit],
      ["Workload-Proof-Token", proof],
    ],
    "two-workload-identity-token-fields": [
      ["Workload-Identity-Token", wit],
      ["workload-identity-token", wit],
      ["Authorization", `WPT ${proof}`],
    ],
    "wit-comma-joined-twice": [
      ["Workload-Identity-Token", `${wit}, ${wit}`],
      ["Authorization", `WPT ${proof}`],
    ],
  };
  test.each(negatives.header_cases)("W-23, W-42: 2.2 $id", (row) => {
    let status = 200;
    try {
      expect(credentialsOf(lines[row.id] ?? [])).toEqual({ wit, proof });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      status = answerOf(error).status;
    }
    const wanted = row.expect.startsWith("accept") ? 200 : row.expect.endsWith("400") ? 400 : 401;
    expect(status).toBe(wanted);
  });
});
