// Prints test/vectors/owner/vectors.json: owners' signatures over statements, and what a verifier says of each. Every key
// is made from words that anybody can hash, and no signature draws randomness, so the same run gives the same octets:
//   node scripts/owner-vectors.mjs > test/vectors/owner/vectors.json
import {
  agentId,
  base64url,
  CONSENT_NAMESPACE,
  sshKeyOf,
  thumbprint,
  utf8,
  VIEW_CREDENTIAL,
  writePublicKeyLine,
  writeStatement,
} from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { ed25519Of, p256Of } from "./owner-vectors/keys.mjs";
import { PAGES } from "./owner-vectors/makers.mjs";
import { rowsOf } from "./owner-vectors/rows.mjs";

const anchor = thumbprint(c, ed25519Of("countersign owner vectors: anchor").key);
const digestOf = (words) => `sha-256:${base64url(c.sha256(utf8(words)))}`;

function statementOf(jwk, change = {}) {
  return writeStatement(c, {
    typ: "agent-consent/1",
    kind: "credential",
    decision: "approve",
    jti: "01KB2V7Q5D3M8N4P6R9T1W2Y0Z",
    aud: "https://id.example.org",
    td: "example.org",
    iat: 1_800_000_000,
    exp: 1_800_000_300,
    nonce: base64url(new Uint8Array(16).fill(7)),
    owner: { id: "urn:agent-owner:example.org:vectors-0001", jkt: thumbprint(c, jwk) },
    agent: {
      id: agentId("spiffe://example.org/agent/mailer", anchor),
      jkt: anchor,
      meas: [{ n: "binary", d: digestOf("a program") }],
    },
    req: digestOf("a request"),
    grant: {
      use: "standing",
      nbf: 1_800_000_000,
      exp: 1_800_086_400,
      max_ttl: 900,
      max_issue: 192,
      max_live: 8,
      rekey: "endorsed",
      ceiling: [],
    },
    view: VIEW_CREDENTIAL,
    ...change,
  });
}

function ownerOf(by, other) {
  return {
    by,
    other,
    statement: statementOf(by.key),
    denial: statementOf(by.key, { decision: "deny" }),
    later: statementOf(by.key, { exp: 1_800_000_301 }),
  };
}

const OWNERS = {
  Ed25519: ownerOf(
    ed25519Of("countersign owner vectors: owner"),
    ed25519Of("countersign owner vectors: another"),
  ),
  ES256: ownerOf(
    p256Of("countersign owner vectors: owner, P-256"),
    p256Of("countersign owner vectors: another, P-256"),
  ),
};
const ASSURANCE = { sshsig: 2, "sshsig-sk": 3, jws: 2, webauthn: 3 };

function vectorOf(alg, owner, { method, name, sig, key, says, sshKeygen, simplewebauthn, shown }) {
  return {
    name: `${method} ${alg}: ${name}`,
    method,
    alg,
    statement: base64url((shown ?? owner.statement).bytes),
    sig,
    key,
    says,
    ...(says === "accepted" ? { assurance: ASSURANCE[method] } : {}),
    ...(simplewebauthn === undefined ? {} : { simplewebauthn }),
    ...(sshKeygen === undefined
      ? {}
      : { ssh_keygen: sshKeygen, allowed: writePublicKeyLine(sshKeyOf(key.jwk, key.app)) }),
  };
}

const vectors = [];
for (const [alg, owner] of Object.entries(OWNERS))
  for (const row of await rowsOf(owner)) vectors.push(vectorOf(alg, owner, row));

const { cs: digest } = OWNERS.Ed25519.statement;
const file = { namespace: CONSENT_NAMESPACE, consent: PAGES, digest, vectors };
console.log(JSON.stringify(file, undefined, 2));
