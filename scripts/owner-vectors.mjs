// Prints test/vectors/owner/vectors.json: owners' signatures over statements, and what a verifier says of each. Every key
// is Ed25519 from a seed that anybody can compute, so the same run gives the same octets:
//   node scripts/owner-vectors.mjs > test/vectors/owner/vectors.json
import {
  agentId,
  base64,
  base64url,
  concat,
  CONSENT_NAMESPACE,
  makeSshsig,
  sshKeyOf,
  sshsigSignedData,
  thumbprint,
  utf8,
  VIEW_CREDENTIAL,
  writePublicKeyLine,
  writeSshsig,
  writeStatement,
} from "@countersign/core";
import { nodeCrypto as c, privateKeyFromPem, signerOf } from "@countersign/node";

const PKCS8_ED25519 = Buffer.from("302e020100300506032b657004220420", "hex");
const APP = "ssh:agent-consent";
const [NONE, PRESENT, VERIFIED, BOTH] = [0x00, 0x01, 0x04, 0x05];

function sshUint32(value) {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
}
const sshString = (data) => concat(sshUint32(data.length), data);

/** The key whose seed is SHA-256 of these words. */
function keyOf(words) {
  const der = base64(concat(PKCS8_ED25519, c.sha256(utf8(words))));
  return signerOf(
    privateKeyFromPem(`-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`),
  );
}

const owner = keyOf("countersign owner vectors: owner");
const other = keyOf("countersign owner vectors: another");
const anchor = thumbprint(c, keyOf("countersign owner vectors: anchor").key);
const digestOf = (words) => `sha-256:${base64url(c.sha256(utf8(words)))}`;

function statementOf(change = {}) {
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
    owner: { id: "urn:agent-owner:example.org:vectors-0001", jkt: thumbprint(c, owner.key) },
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

const statement = statementOf();
const denial = statementOf({ decision: "deny" });
const later = statementOf({ exp: 1_800_000_301 });

const ssh = async ({ by = owner, namespace = CONSENT_NAMESPACE, over = statement } = {}) => ({
  k: "sshsig",
  s: base64(await makeSshsig(c, by, namespace, over.bytes)),
});

/** What a security key makes: flags and counter stand inside what is signed. */
async function sk(flags, app = APP) {
  const inner = sshsigSignedData(c, CONSENT_NAMESPACE, "sha512", statement.bytes);
  const tail = concat(Uint8Array.of(flags), sshUint32(42));
  const raw = await owner.sign(concat(c.sha256(utf8(app)), tail, c.sha256(inner)));
  const key = sshKeyOf(owner.key, app);
  const type = sshString(utf8("sk-ssh-ed25519@openssh.com"));
  const signature = concat(type, sshString(raw), tail);
  const blob = { publicKey: key.blob, namespace: CONSENT_NAMESPACE, hash: "sha512", signature };
  return { k: "sshsig", s: base64(writeSshsig(blob)) };
}

async function jws({ header = {}, over = statement } = {}) {
  const head = { alg: "Ed25519", typ: "agent-consent+jwt", ...header };
  const input = `${base64url(utf8(JSON.stringify(head)))}.${base64url(over.bytes)}`;
  return { k: "jws", s: `${input}.${base64url(await owner.sign(utf8(input)))}` };
}

const plain = { jwk: owner.key };
const token = { jwk: owner.key, app: APP };
// name, method, signature, key that is expected, what a verifier says, what `ssh-keygen -Y verify` says, statement shown
const ROWS = [
  ["a plain key", "sshsig", await ssh(), plain, "accepted", "Good"],
  [
    "another namespace",
    "sshsig",
    await ssh({ namespace: "git" }),
    plain,
    "namespace_mismatch",
    "no",
  ],
  ["another key", "sshsig", await ssh({ by: other }), plain, "key_not_enrolled", "no"],
  ["another statement", "sshsig", await ssh({ over: later }), plain, "signature_invalid", "no"],
  ["a denial", "sshsig", await ssh({ over: denial }), plain, "approval_unsuitable", "Good", denial],
  ["a denial relabelled", "sshsig", await ssh({ over: denial }), plain, "signature_invalid", "no"],
  ["touched and verified", "sshsig-sk", await sk(BOTH), token, "accepted", "Good"],
  ["touched only", "sshsig-sk", await sk(PRESENT), token, "user_not_verified", "Good"],
  ["verified only", "sshsig-sk", await sk(VERIFIED), token, "user_not_present", "Good"],
  ["neither", "sshsig-sk", await sk(NONE), token, "user_not_present", "Good"],
  ["another application", "sshsig-sk", await sk(BOTH, "ssh:"), token, "key_not_enrolled", "no"],
  ["a plain signature for it", "sshsig-sk", await ssh(), token, "key_not_enrolled", "no"],
  ["a JWS", "jws", await jws(), plain, "accepted"],
  ["another type", "jws", await jws({ header: { typ: "JWT" } }), plain, "signature_invalid"],
  ["no algorithm", "jws", await jws({ header: { alg: "none" } }), plain, "signature_invalid"],
  [
    "a key in the header",
    "jws",
    await jws({ header: { jwk: other.key } }),
    plain,
    "signature_invalid",
  ],
  ["another payload", "jws", await jws({ over: later }), plain, "payload_mismatch"],
  ["a security key's", "jws", await jws(), token, "signature_invalid"],
];

const assuranceOf = (method, says) =>
  says === "accepted" ? { assurance: method === "sshsig-sk" ? 3 : 2 } : {};

function vectorOf(name, method, sig, key, says, sshKeygen, shown = statement) {
  return {
    name: `${method}: ${name}`,
    method,
    statement: base64url(shown.bytes),
    sig,
    key,
    says,
    ...assuranceOf(method, says),
    ...(sshKeygen === undefined
      ? {}
      : { ssh_keygen: sshKeygen, allowed: writePublicKeyLine(sshKeyOf(key.jwk, key.app)) }),
  };
}

console.log(
  JSON.stringify(
    {
      namespace: CONSENT_NAMESPACE,
      digest: statement.cs,
      vectors: ROWS.map((row) => vectorOf(...row)),
    },
    undefined,
    2,
  ),
);
