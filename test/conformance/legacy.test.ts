import { describe, expect, test } from "vitest";
import {
  base64url,
  credentialsOf,
  fromBase64url,
  memoryReplayStore,
  verifyWit,
  verifyWpt,
} from "@countersign/core";
import type { HeaderLines, WitTrust } from "@countersign/core";
import { nodeCrypto, publicJwkOf } from "../../packages/node/src/crypto.ts";
import { createPrivateKey } from "node:crypto";
import { trustIn } from "./keys.ts";
import type { PrintedJwk } from "./keys.ts";
import { outcomeOf } from "./outcome.ts";
import { vectorFile, vectors, vectorsPresent } from "./vectors.ts";

interface OldRequest {
  readonly wit: string;
  readonly proof: string;
  readonly request_text: string;
  readonly other_tokens?: Readonly<Record<string, string>>;
  readonly issuer_public_jwk: PrintedJwk;
  readonly verify_now: number;
}
interface OldWit {
  readonly token: string;
  readonly kid: string;
  readonly issuer_signing_key_seed_b64u: string;
  readonly verify_now: number;
  readonly negative: readonly { token?: string }[];
}
interface OldProof {
  readonly wit: string;
  readonly issuer_verifying_key_b64u: string;
  readonly verify_now: number;
}

/** Header lines of a printed HTTP message. */
function linesOf(message: string): HeaderLines {
  const [head = ""] = message.split("\n\n");
  return head
    .split("\n")
    .slice(1)
    .map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)] as const;
    });
}

const ed25519 = (x: string): WitTrust =>
  new Map([
    [
      "spiffe://example.org",
      { keys: [{ kid: "issuer-key-1", key: { kty: "OKP", crv: "Ed25519", x } }] },
    ],
  ]);

/** Public key of an Ed25519 seed: PKCS#8 is a fixed prefix and the seed (RFC 8410). */
function publicOfSeed(seed: string): string {
  const prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
  const der = Buffer.from([...prefix, ...fromBase64url(seed)]);
  return publicJwkOf(createPrivateKey({ key: der, format: "der", type: "pkcs8" })).x;
}

describe.skipIf(!vectorsPresent)("old wire formats are refused", () => {
  test.each([
    "wimse/legacy/s2s-repo/wpt-01-example.json",
    "wimse/legacy/s2s-repo/wpt-oth-pr227.json",
  ])(
    "W-44: the whole request of %s: Workload-Proof-Token with a bearer token beside it",
    async (path) => {
      const v = vectors<OldRequest>(path);
      expect(await outcomeOf(() => credentialsOf(linesOf(v.request_text)))).toBe("wpt_missing");
      const withoutBearer = linesOf(v.request_text).filter(([name]) => name !== "Authorization");
      expect(await outcomeOf(() => credentialsOf(withoutBearer))).toBe("wpt_missing");
    },
  );

  test("W-43: the oth hash rule is unchanged: the same proof in today's header verifies, ath ignored", async () => {
    const v = vectors<OldRequest>("wimse/legacy/s2s-repo/wpt-oth-pr227.json");
    const trust = trustIn("wimse://example.com", v.issuer_public_jwk);
    const input = {
      proof: v.proof,
      wit: await verifyWit(nodeCrypto, v.wit, trust, v.verify_now),
      headers: linesOf(v.request_text),
      audiences: ["https://workload.example.com/path"],
      maxLifeSeconds: 600,
      now: v.verify_now,
      replay: memoryReplayStore({ maxEntries: 10 }),
    };
    const listed = { ...input, contextHeaders: ["x-custom-token"] };
    expect(await outcomeOf(() => verifyWpt(nodeCrypto, input))).toBe(
      "other_token_binding_mismatch",
    );
    const proof = await verifyWpt(nodeCrypto, listed);
    expect(proof.context.get("x-custom-token")).toBe(v.other_tokens?.["x-custom-token"]);
  });

  test("W-44: creds-01 WITs without cnf.jwk.alg: missing_confirmation_alg", async () => {
    const v = vectors<OldWit>("wimse/legacy/wimsey-v1/wit-issue-basic.json");
    const trust = ed25519(publicOfSeed(v.issuer_signing_key_seed_b64u));
    expect(await outcomeOf(() => verifyWit(nodeCrypto, v.token, trust, v.verify_now))).toBe(
      "missing_confirmation_alg",
    );
    for (const { token } of v.negative) {
      if (token === undefined) continue;
      const outcome = await outcomeOf(() => verifyWit(nodeCrypto, token, trust, v.verify_now));
      expect(["wrong_type", "invalid_signature"]).toContain(outcome);
    }
  });

  test.each(["wpt-proof-basic", "httpsig-sign-basic"])(
    "W-44, W-59: wimsey v1 %s: its WIT has no cnf.jwk.alg",
    async (name) => {
      const v = vectors<OldProof>(`wimse/legacy/wimsey-v1/${name}.json`);
      const trust = ed25519(v.issuer_verifying_key_b64u);
      expect(await outcomeOf(() => verifyWit(nodeCrypto, v.wit, trust, v.verify_now))).toBe(
        "missing_confirmation_alg",
      );
    },
  );

  test.each(["request", "response"])("W-59: http-signature-06 %s holds no WPT", async (which) => {
    const path = `wimse/legacy/s2s-repo/http-signature-06-sigs-${which}.txt`;
    const headers = linesOf(new TextDecoder("utf-8").decode(vectorFile(path)));
    expect(headers.some(([name]) => name === "Workload-Identity-Token")).toBe(true);
    expect(await outcomeOf(() => credentialsOf(headers))).toBe("wpt_missing");
  });

  test.each(["wimse-id+jwt", "jwt"])("typ %s is no WIT", async (typ) => {
    const part = (value: object): string =>
      base64url(new TextEncoder().encode(JSON.stringify(value)));
    const token = `${part({ alg: "ES256", typ })}.${part({ sub: "wimse://example.com/a" })}.AA`;
    expect(await outcomeOf(() => verifyWit(nodeCrypto, token, new Map(), 0))).toBe("wrong_type");
  });
});
