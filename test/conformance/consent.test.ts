import { describe, expect, it } from "vitest";
import {
  base64url,
  canonicalBytes,
  CONSENT_NAMESPACE,
  equalBytes,
  fromUtf8,
  makeSshsig,
  readOwnerSignature,
  readStatement,
  spkiOf,
  statementDigest,
  statementId,
  utf8,
  verifyApproval,
  verifyKeyStatement,
  verifyOwnerSignature,
  writeStatement,
  base64,
} from "@countersign/core";
import type { Digest, Jwk, OwnerSignature, RefusalCode, Signer } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { changed, CREDENTIAL, KEY, OTHER, outcome, OWNER, signed } from "./consent-fixture.ts";
import type { Change } from "./consent-fixture.ts";
import { vectors, vectorsPresent } from "./vectors.ts";

const P384: Jwk = {
  kty: "EC",
  crv: "P-384",
  x: base64url(new Uint8Array(48)),
  y: base64url(new Uint8Array(48)),
};
const INVALID = "statement_invalid";
type Row = readonly [name: string, change: Change, wanted: RefusalCode | "accepted"];

function reading(body: object, options = {}): Promise<RefusalCode | "accepted"> {
  return outcome(() => readStatement(nodeCrypto, canonicalBytes(body), options));
}

const COMMON_ROWS: readonly Row[] = [
  ["the statement as it is", {}, "accepted"],
  ["a denial", { decision: "deny" }, "accepted"],
  ["another typ", { typ: "agent-consent/2" }, INVALID],
  ["kind action, until it is built", { kind: "action" }, INVALID],
  ["kind workflow, until it is built", { kind: "workflow" }, INVALID],
  ["another decision", { decision: "maybe" }, INVALID],
  ["a jti that is a UUIDv7", { jti: "01936f2e-7c3a-7b1e-8f00-0123456789ab" }, "accepted"],
  ["a jti that is a UUIDv4", { jti: "01936f2e-7c3a-4b1e-8f00-0123456789ab" }, INVALID],
  ["a jti of another form", { jti: "BwcHBwcHBwcHBwcHBwcHBw" }, INVALID],
  ["an aud that is not https", { aud: "http://id.example.com" }, INVALID],
  ["an aud with a query", { aud: "https://id.example.com?a=b" }, INVALID],
  ["a td in capitals", { td: "Example.com" }, INVALID],
  ["another td", { td: "example.org" }, INVALID],
  ["exp an hour after iat", { exp: CREDENTIAL.iat + 3600 }, "accepted"],
  ["exp over an hour after iat", { exp: CREDENTIAL.iat + 3601 }, INVALID],
  ["exp at iat", { exp: CREDENTIAL.iat }, INVALID],
  ["an instant that no calendar has", { iat: 2 ** 52, exp: 2 ** 52 + 1 }, INVALID],
  ["a nonce of 15 octets", { nonce: base64url(new Uint8Array(15)) }, INVALID],
  ["a nonce of 17 octets", { nonce: base64url(new Uint8Array(17)) }, INVALID],
  ["a nonce with trailing bits", { nonce: "BwcHBwcHBwcHBwcHBwcHBx" }, INVALID],
  ["an owner of another domain", { "owner.id": "urn:agent-owner:example.org:7Qm0Zs6Yw1" }, INVALID],
  ["an owner that is an address", { "owner.id": "mailto:a@example.com" }, INVALID],
  ["a short opaque part", { "owner.id": "urn:agent-owner:example.com:7Qm0Zs6" }, INVALID],
  ["an owner without a key", { "owner.jkt": undefined }, INVALID],
  ["an unknown member", { note: "x" }, INVALID],
  ["an unknown member of owner", { "owner.name": "x" }, INVALID],
  ["null", { nonce: null }, INVALID],
];

const CREDENTIAL_ROWS: readonly Row[] = [
  ["no agent", { agent: undefined }, INVALID],
  ["an agent of another domain", { "agent.id": "spiffe://example.org/agent/a/0" }, INVALID],
  ["an agent id that is an entry's", { "agent.id": "spiffe://example.com/agent/a" }, INVALID],
  ["an agent id that is a proxy's", { "agent.id": "spiffe://example.com/proxy/a/0" }, INVALID],
  ["an agent id with a query", { "agent.id": "spiffe://example.com/agent/a/0?x" }, INVALID],
  ["no host", { "agent.host": undefined }, "accepted"],
  ["a host that is no proxy", { "agent.host": "spiffe://example.com/agent/a" }, INVALID],
  ["a host of another domain", { "agent.host": "spiffe://example.org/proxy/a" }, INVALID],
  ["an unknown member of agent", { "agent.name": "x" }, INVALID],
  ["meas without binary", { "agent.meas": [CREDENTIAL.agent.meas[1]] }, INVALID],
  ["meas not sorted", { "agent.meas": CREDENTIAL.agent.meas.toReversed() }, INVALID],
  ["a name measured twice", { "agent.meas.1.n": "binary" }, INVALID],
  ["a measurement of another name", { "agent.meas.1.n": "weights" }, INVALID],
  ["a measurement by publisher", { "agent.meas.1": { n: "script", by: "x" } }, INVALID],
  ["a digest with another prefix", { "agent.meas.0.d": `sha-512:${"A".repeat(43)}` }, INVALID],
  ["no req", { req: undefined }, INVALID],
  ["rekey none", { "grant.rekey": "none" }, INVALID],
  ["parties without owners", { "grant.parties": { m: 1, owners: [] } }, INVALID],
  ["sub_agents, until they are built", { "grant.sub_agents": 1 }, INVALID],
  ["conf, until it is built", { "grant.conf": {} }, INVALID],
  ["a grant of 30 days", { "grant.exp": CREDENTIAL.grant.nbf + 2_592_000 }, "accepted"],
  ["a grant over 30 days", { "grant.exp": CREDENTIAL.grant.nbf + 2_592_001 }, INVALID],
  ["a grant that ends at its start", { "grant.exp": CREDENTIAL.grant.nbf }, INVALID],
  ["max_ttl 5", { "grant.max_ttl": 5 }, "accepted"],
  ["max_ttl 4", { "grant.max_ttl": 4 }, INVALID],
  ["max_ttl over an hour", { "grant.max_ttl": 3601 }, INVALID],
  ["max_issue 0", { "grant.max_issue": 0 }, INVALID],
  ["max_live 0", { "grant.max_live": 0 }, INVALID],
  [
    "single, one credential within an hour",
    { "grant.use": "single", "grant.max_issue": 1, "grant.exp": CREDENTIAL.grant.nbf + 3600 },
    "accepted",
  ],
  [
    "single with two credentials",
    { "grant.use": "single", "grant.max_issue": 2, "grant.exp": CREDENTIAL.grant.nbf + 3600 },
    INVALID,
  ],
  [
    "single for more than an hour",
    { "grant.use": "single", "grant.max_issue": 1, "grant.exp": CREDENTIAL.grant.nbf + 3601 },
    INVALID,
  ],
  ["an empty ceiling", { "grant.ceiling": [] }, "accepted"],
  ["a ceiling entry of another type", { "grant.ceiling.0.type": "shell" }, INVALID],
  ["a ceiling entry without locations", { "grant.ceiling.0.locations": [] }, "accepted"],
  ["a ceiling entry with another member", { "grant.ceiling.0.constraints": {} }, INVALID],
  ["a location that is no address", { "grant.ceiling.0.locations": ["mail"] }, INVALID],
  ["a location with a query", { "grant.ceiling.0.locations": ["https://a.example/?a"] }, INVALID],
  ["a location with a user", { "grant.ceiling.0.locations": ["https://a@b.example/"] }, INVALID],
  ["a host not in A-labels", { "grant.ceiling.0.locations": ["https://bücher.example/"] }, INVALID],
  ["an empty action", { "grant.ceiling.0.actions": [""] }, INVALID],
  ["another class", { "grant.ceiling.0.class": "safe" }, INVALID],
  ["max_calls 0", { "grant.ceiling.1.max_calls": 0 }, INVALID],
  ["no view", { view: undefined }, INVALID],
  ["a view without digits", { "view.match": undefined }, "accepted"],
  ["three digits", { "view.match": "421" }, INVALID],
  ["an unknown member of view", { "view.title": "x" }, INVALID],
  ["members of kind key", { key: KEY.key }, INVALID],
];

const KEY_ROWS: readonly Row[] = [
  ["the key statement as it is", {}, "accepted"],
  ["an sk- key with its application", { "key.app": "ssh:agent-consent" }, "accepted"],
  ["an application with a space", { "key.app": "ssh: x" }, INVALID],
  ["op remove", { "key.op": "remove" }, INVALID],
  ["another kind of owner", { "key.kind": "robot" }, INVALID],
  ["a thumbprint of another key", { "key.jkt": CREDENTIAL.agent.jkt }, INVALID],
  ["signed by another key than it adds", { "owner.jkt": CREDENTIAL.agent.jkt }, INVALID],
  ["spki of a P-384 key", { "key.spki": base64url(spkiOf(P384)) }, INVALID],
  ["spki that is no key", { "key.spki": base64url(new Uint8Array(44)) }, INVALID],
  ["spki that is not base64url", { "key.spki": "=" }, INVALID],
  ["members of kind credential", { req: CREDENTIAL.req }, INVALID],
];

describe("owner.md 1.4: the consent statement", () => {
  it.each(COMMON_ROWS)("common members: %s", async (_name, change, wanted) => {
    expect(await reading(changed(CREDENTIAL, change))).toBe(wanted);
  });
  it.each(CREDENTIAL_ROWS)("kind credential: %s", async (_name, change, wanted) => {
    expect(await reading(changed(CREDENTIAL, change))).toBe(wanted);
  });
  it.each(KEY_ROWS)("kind key: %s", async (_name, change, wanted) => {
    expect(await reading(changed(KEY, change))).toBe(wanted);
  });

  const preSigned: readonly Row[] = [
    ["seven days", { exp: CREDENTIAL.iat + 604_800 }, "accepted"],
    ["over seven days", { exp: CREDENTIAL.iat + 604_801 }, INVALID],
    ["a nonce of 8 octets", { nonce: base64url(new Uint8Array(8)) }, "accepted"],
    ["a nonce of 7 octets", { nonce: base64url(new Uint8Array(7)) }, INVALID],
    ["a nonce of 64 octets", { nonce: base64url(new Uint8Array(64)) }, "accepted"],
    ["a nonce of 65 octets", { nonce: base64url(new Uint8Array(65)) }, INVALID],
  ];
  it.each(preSigned)("formats.md 3, pre-signed: %s", async (_name, change, wanted) => {
    expect(await reading(changed(CREDENTIAL, change), { preSigned: true })).toBe(wanted);
  });

  const text = fromUtf8(canonicalBytes(CREDENTIAL));
  const octets: readonly (readonly [string, string, RefusalCode | "accepted"])[] = [
    ["the canonical form", text, "accepted"],
    ["white space", text.replace(",", ", "), INVALID],
    ["a line feed at the end", `${text}\n`, INVALID],
    ["an escape that is not needed", text.replace("mailer", "\\u006dailer"), INVALID],
    ["a duplicate member", text.replace("{", '{"td":"example.com",'), INVALID],
    [
      "members in another order",
      `{"typ":"agent-consent/1",${text.slice(1)}`.replace(
        ',"typ":"agent-consent/1","view"',
        ',"view"',
      ),
      INVALID,
    ],
    ["an exponent", text.replace('"max_ttl":900', '"max_ttl":9e2'), INVALID],
    ["a fraction", text.replace('"max_ttl":900', '"max_ttl":900.5'), INVALID],
    ["a byte order mark", `\uFEFF${text}`, INVALID],
    ["over 8 KiB", `{"a":"${"x".repeat(8192)}"}`, INVALID],
    ["nested nine deep", `${'{"a":'.repeat(9)}1${"}".repeat(9)}`, INVALID],
    ["an array", "[]", INVALID],
    ["nothing", "", INVALID],
  ];
  it.each(octets)("octets are the canonical form: %s", async (_name, input, wanted) => {
    expect(await outcome(() => readStatement(nodeCrypto, utf8(input)))).toBe(wanted);
  });

  it("octets stay as received, and cs is over the separator, a zero octet and them", () => {
    const statement = writeStatement(nodeCrypto, CREDENTIAL);
    expect(equalBytes(statement.bytes, canonicalBytes(CREDENTIAL))).toBe(true);
    expect(statement.body).toEqual(CREDENTIAL);
    const input = utf8(`agent-consent/1\0${text}`);
    expect(statement.cs).toBe(`sha-256:${base64url(nodeCrypto.sha256(input))}`);
  });

  it("statementId makes a ULID of the instant", async () => {
    const jti = statementId(1_795_442_780, (n) => new Uint8Array(n).fill(255));
    expect(jti).toMatch(/^01[0-9A-HJKMNP-TV-Z]{8}Z{16}$/);
    expect(await reading({ ...CREDENTIAL, jti })).toBe("accepted");
  });
});

describe("owner.md 1.2: an owner's signature over a statement", () => {
  const statement = writeStatement(nodeCrypto, CREDENTIAL);
  const key = { jwk: OWNER.key };
  const jws = async (header: object, payload = statement.bytes, by: Signer = OWNER) => {
    const input = `${base64url(canonicalBytes(header))}.${base64url(payload)}`;
    return { k: "jws" as const, s: `${input}.${base64url(await by.sign(utf8(input)))}` };
  };
  const HEADER = { alg: "Ed25519", typ: "agent-consent+jwt" };
  const other = writeStatement(nodeCrypto, { ...CREDENTIAL, decision: "deny" });
  const rows: readonly (readonly [
    string,
    () => Promise<OwnerSignature>,
    RefusalCode | "accepted",
  ])[] = [
    ["SSHSIG", () => signed(statement), "accepted"],
    ["SSHSIG by another key", () => signed(statement, OTHER), "key_not_enrolled"],
    ["SSHSIG over another statement", () => signed(other), "signature_invalid"],
    [
      "SSHSIG of another namespace",
      async () => ({
        k: "sshsig",
        s: base64(await makeSshsig(nodeCrypto, OWNER, "git", statement.bytes)),
      }),
      "namespace_mismatch",
    ],
    [
      "SSHSIG that is not base64",
      () => Promise.resolve({ k: "sshsig", s: "-" }),
      "signature_invalid",
    ],
    ["JWS", () => jws(HEADER), "accepted"],
    ["JWS, alg EdDSA", () => jws({ ...HEADER, alg: "EdDSA" }), "accepted"],
    ["JWS, alg of another key", () => jws({ ...HEADER, alg: "ES256" }), "signature_invalid"],
    ["JWS, alg none", () => jws({ ...HEADER, alg: "none" }), "signature_invalid"],
    ["JWS, another typ", () => jws({ ...HEADER, typ: "JWT" }), "signature_invalid"],
    ["JWS with kid", () => jws({ ...HEADER, kid: "x" }), "signature_invalid"],
    ["JWS with crit", () => jws({ ...HEADER, crit: [] }), "signature_invalid"],
    ["JWS over another payload", () => jws(HEADER, other.bytes), "payload_mismatch"],
    ["JWS by another key", () => jws(HEADER, statement.bytes, OTHER), "signature_invalid"],
    ["JWS of two parts", () => Promise.resolve({ k: "jws", s: "e30.e30" }), "signature_invalid"],
    [
      "WebAuthn, where no consent page is configured",
      () => Promise.resolve({ k: "webauthn", a: "a", c: "c", s: "s" }),
      "origin_mismatch",
    ],
  ];
  it.each(rows)("%s", async (_name, make, wanted) => {
    const signature = await make();
    const got = await outcome(() =>
      verifyOwnerSignature(nodeCrypto, { statementBytes: statement.bytes, signature, key }),
    );
    expect(got).toBe(wanted);
  });

  const forms: readonly (readonly [string, object, RefusalCode | "accepted"])[] = [
    ["sshsig", { k: "sshsig", s: "AA==" }, "accepted"],
    ["webauthn", { k: "webauthn", a: "a", c: "c", s: "s" }, "accepted"],
    ["another k", { k: "pgp", s: "AA==" }, "malformed_request"],
    ["an unknown member", { k: "jws", s: "a", kid: "x" }, "malformed_request"],
    ["webauthn without client data", { k: "webauthn", a: "a", s: "s" }, "malformed_request"],
    ["too long", { k: "sshsig", s: "A".repeat(6001) }, "malformed_request"],
  ];
  it.each(forms)("closed wire form: %s", async (_name, form, wanted) => {
    expect(await outcome(() => readOwnerSignature(form as Record<string, string>))).toBe(wanted); // rows are JSON
  });
});

describe("owner.md 1.9: an approval", () => {
  const rows: readonly (readonly [string, Change, RefusalCode | "accepted"])[] = [
    ["as signed", {}, "accepted"],
    ["a denial", { decision: "deny" }, "approval_unsuitable"],
    ["a view that is not ours", { "view.d": CREDENTIAL.req }, "approval_unsuitable"],
    [
      "a key that the statement does not name",
      { "owner.jkt": CREDENTIAL.agent.jkt },
      "signature_invalid",
    ],
  ];
  it.each(rows)("%s", async (_name, change, wanted) => {
    const statement = readStatement(nodeCrypto, canonicalBytes(changed(CREDENTIAL, change)));
    const signature = await signed(statement);
    const got = await outcome(() =>
      verifyApproval(nodeCrypto, statement, signature, { jwk: OWNER.key }),
    );
    expect(got).toBe(wanted);
  });
  it("a key statement is no approval", async () => {
    const statement = writeStatement(nodeCrypto, KEY);
    const signature = await signed(statement);
    const act = () => verifyApproval(nodeCrypto, statement, signature, { jwk: OWNER.key });
    expect(await outcome(act)).toBe("approval_unsuitable");
  });
  it("assurance: a software key 2, an owner that is no person 1", async () => {
    const statement = writeStatement(nodeCrypto, CREDENTIAL);
    const signature = await signed(statement);
    const of = async (options: object) =>
      (await verifyApproval(nodeCrypto, statement, signature, { jwk: OWNER.key }, options))
        .assurance;
    expect(await of({})).toBe(2);
    expect(await of({ ownerKind: "policy" })).toBe(1);
  });
});

describe("formats.md 3: key statements are signed by the new key, then by co-signers", () => {
  const statement = writeStatement(nodeCrypto, KEY);
  const by = async (signer: Signer, over = statement) => ({
    signature: await signed(over, signer),
    key: { jwk: signer.key },
  });
  it.each([
    ["the new key alone", [OWNER], "accepted"],
    ["the new key and a co-signer", [OWNER, OTHER], "accepted"],
    ["the co-signer first", [OTHER, OWNER], "signature_invalid"],
    ["the same key twice", [OWNER, OWNER], "signature_invalid"],
    ["nobody", [], "signature_invalid"],
  ] as const)("%s", async (_name, signers, wanted) => {
    const signatures = await Promise.all(signers.map((signer) => by(signer)));
    const act = () => verifyKeyStatement(nodeCrypto, statement, signatures);
    expect(await outcome(act)).toBe(wanted);
  });
  it("an application that the statement does not name is refused", async () => {
    const { signature } = await by(OWNER);
    const key = { jwk: OWNER.key, app: "ssh:" };
    const act = () => verifyKeyStatement(nodeCrypto, statement, [{ signature, key }]);
    expect(await outcome(act)).toBe("signature_invalid");
  });
});

interface ConsentVector {
  readonly name: string;
  readonly statement: { readonly kind?: string; readonly view: { readonly d: Digest } };
  readonly digest?: string;
  readonly jcs?: string;
  readonly evidence: OwnerSignature;
  readonly reason?: RefusalCode;
}
interface ConsentVectors {
  readonly rp: { readonly id: string; readonly origin: string };
  readonly keys: Readonly<Record<"owner_p256" | "owner_ed25519", Jwk>>;
  readonly positive: readonly ConsentVector[];
  readonly negative: readonly ConsentVector[];
}

const isAction = (row: ConsentVector): boolean => row.statement.kind === "action";

describe.skipIf(!vectorsPresent)("vectors owner/consent-vectors.json", () => {
  const { keys, rp, positive, negative } = vectorsPresent
    ? vectors<ConsentVectors>("owner/consent-vectors.json")
    : { keys: undefined, rp: { id: "", origin: "" }, positive: [], negative: [] };
  const namespace = "agent-consent-v1@example.org";
  const judge = (row: ConsentVector) =>
    outcome(() => {
      const jwk = row.evidence.k === "sshsig" ? keys?.owner_ed25519 : keys?.owner_p256;
      if (jwk === undefined) throw new TypeError("no key");
      const bytes = canonicalBytes(row.statement);
      const key = row.evidence.k === "webauthn" ? { jwk, app: rp.id } : { jwk };
      const options = { namespace, pages: { rpId: rp.id, origins: [rp.origin] } };
      // statements of kind `action` are not built: their signatures are judged over the same octets
      if (isAction(row))
        return verifyOwnerSignature(nodeCrypto, {
          statementBytes: bytes,
          signature: row.evidence,
          key,
          ...options,
        });
      const views = [row.statement.view.d];
      const statement = readStatement(nodeCrypto, bytes);
      return verifyApproval(nodeCrypto, statement, row.evidence, key, { ...options, views });
    });

  for (const row of [...positive, ...negative])
    it(`${row.name}: ${row.reason ?? "accepted"}`, async () => {
      expect(await judge(row)).toBe(row.reason ?? "accepted");
    });
  it.each([...positive, ...negative].filter(isAction))(
    "$name: the statement is of a kind that is not built",
    async ({ statement }) => {
      expect(await reading(statement)).toBe(INVALID);
    },
  );

  it.each(positive.map((row) => [row.name, row] as const))("digest of %s", (_name, row) => {
    const bytes = canonicalBytes(row.statement);
    if (row.jcs !== undefined) expect(equalBytes(bytes, utf8(row.jcs))).toBe(true);
    expect(statementDigest(nodeCrypto, bytes)).toBe(`sha-256:${row.digest}`);
  });
});

it("the SSHSIG namespace is the product's constant", () => {
  expect(CONSENT_NAMESPACE).toBe("agent-consent-v1@countersign");
});
