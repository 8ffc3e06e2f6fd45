import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import {
  base64,
  base64url,
  CONSENT_NAMESPACE,
  makeSshsig,
  spkiOf,
  statementId,
  thumbprint,
  writeStatement,
} from "@countersign/core";
import type { JsonObject, KeyStatement } from "@countersign/core";
import { generateSigner, handlerTarget, nodeCrypto, nodeRandom } from "@countersign/node";
import { fakeCli } from "./cli.testing.ts";
import { coSigningWith, signFor } from "./invited-key.ts";
import type { CoSigning } from "./invited-key.ts";
import { apiOf } from "./sockets.ts";
import type { Cli } from "./terminal.ts";

const OWNER = "urn:agent-owner:example.org:7Qm0Zs6Yw1ab";
const OTHER = "urn:agent-owner:example.org:0000000000ab";
const old = generateSigner("Ed25519");
const fresh = generateSigner();
const jkt = thumbprint(nodeCrypto, fresh.key);

const by: CoSigning = {
  named: "id_ed25519",
  signer: {
    key: { jwk: old.key },
    comment: "",
    sign: async (octets) => ({
      k: "sshsig",
      s: base64(await makeSshsig(nodeCrypto, old, CONSENT_NAMESPACE, octets)),
    }),
  },
};

/** An invitation whose key waits, with what that key is said to have signed. */
function waiting(change: Partial<KeyStatement> = {}): JsonObject {
  const now = Math.floor(Date.now() / 1000);
  const { bytes } = writeStatement(nodeCrypto, {
    typ: "agent-consent/1",
    kind: "key",
    decision: "approve",
    jti: statementId(now, nodeRandom),
    aud: "https://id.example.org",
    td: "example.org",
    iat: now,
    exp: now + 3600,
    nonce: base64url(nodeRandom(16)),
    owner: { id: OWNER, jkt },
    key: { op: "add", jkt, kind: "person", spki: base64url(spkiOf(fresh.key)), app: "localhost" },
    ...change,
  });
  return { id: "Ne0ggFCM", owner: OWNER, expires_at: now + 600, jcs: base64url(bytes) };
}

interface Signed {
  /** Calls of the server's API, by path. */
  readonly calls: readonly string[];
  readonly shown: string;
}

async function signed(invitation: JsonObject, typed: string): Promise<Signed> {
  const calls: string[] = [];
  const api = apiOf(
    handlerTarget((request) => {
      const { pathname } = new URL(request.url);
      calls.push(`${request.method} ${pathname}`);
      return Promise.resolve(
        new Response("{}", { headers: { "content-type": "application/json" } }),
      );
    }),
  );
  const fake = fakeCli();
  const stdin = new PassThrough();
  stdin.end(typed);
  // nothing but lines is read of it
  const cli: Cli = { ...fake, stdin: stdin as unknown as Cli["stdin"] };
  await signFor(cli, api, { name: "me", by, invitation });
  return { calls, shown: fake.output() };
}

const AT = "/v1/owner/invitations/Ne0ggFCM";

describe("a key that waits for a key at the terminal", () => {
  it("is shown line by line, and signed for by a yes", async () => {
    const { calls, shown } = await signed(waiting(), "yes\n");
    expect(calls).toEqual([`POST ${AT}/co-signature`, `GET ${AT}`]);
    const characters = `${jkt.slice(0, 4)} ${jkt.slice(4, 8)}`;
    expect(shown).toMatch(
      /YOU ADD A KEY[^]*owner\.id: "urn:agent-owner:example\.org:7Qm0Zs6Yw1ab"/,
    );
    expect(shown).toContain(`must show the same eight characters: ${characters}`);
    expect(shown).toContain(`Enrolled the passkey ${characters} of me`);
  });

  it.each(["no\n", "\n", ""])("is declined by %o, and nothing is signed", async (typed) => {
    const { calls, shown } = await signed(waiting(), typed);
    expect(calls).toEqual([`POST ${AT}/decline`, `GET ${AT}`]);
    expect(shown).toContain("countersign owner invite me --key id_ed25519");
  });

  it.each<readonly [string, () => JsonObject]>([
    ["of another owner", () => waiting({ owner: { id: OTHER, jkt } })],
    ["that is a denial", () => waiting({ decision: "deny" })],
    ["that is none", () => ({ ...waiting(), jcs: base64url(new Uint8Array(40)) })],
  ])("is not even shown with a statement %s", async (_name, make) => {
    await expect(signed(make(), "yes\n")).rejects.toMatchObject({ code: "statement_invalid" });
  });

  it("is signed for at a terminal only", async () => {
    await expect(coSigningWith(fakeCli(), "id_ed25519")).rejects.toMatchObject({
      code: "terminal_required",
    });
  });
});
