import {
  agentMessageLength,
  canonicalBytes,
  claimedKeyOf,
  concat,
  CONSENT_NAMESPACE,
  fenceNote,
  parseOpensshPrivateKey,
  parsePublicKeyLine,
  base64,
  base64url,
  readAgentIdentities,
  readAgentSignature,
  readArmor,
  readCode,
  readKeyBlob,
  readOwnerSignature,
  readPublicKeyLine,
  readSshsig,
  readStatement,
  render,
  renderTerminal,
  requestCode,
  signedText,
  sshKeyOf,
  utf8,
  verifyApproval,
  verifyAssertion,
  verifyOwnerSignature,
  verifySshsig,
  writeArmor,
  writeOpensshPrivateKey,
  writeSshsig,
  writePublicKeyLine,
  blobOfJwk,
} from "@countersign/core";
import type { Jwk } from "@countersign/core";
import { nodeCrypto, nodeRandom } from "@countersign/node";
import { CREDENTIAL, REQUEST_R } from "../conformance/consent-fixture.ts";
import { credulous, ofJson, ofOctets, ofText } from "./parser.ts";
import type { Parser } from "./parser.ts";
import type { Samples } from "./samples.ts";

const string = (data: Uint8Array): Uint8Array =>
  concat(new Uint8Array([0, 0, data.length >> 8, data.length & 255]), data);
const APP = "ssh:";

function keyParsers({ story, sshsig }: Samples): readonly Parser[] {
  const { key: ed } = story.keys.log;
  const { key: ec } = story.keys.wit;
  if (ed.kty !== "OKP") throw new TypeError("logs sign with Ed25519");
  const keys: readonly [Jwk, string?][] = [[ed], [ec], [ed, APP], [ec, APP]];
  const lines = keys.map(([jwk, app]) => writePublicKeyLine(sshKeyOf(jwk, app), "a b"));
  const [line = ""] = lines;
  const blob = blobOfJwk(ed);
  const file = writeOpensshPrivateKey(nodeRandom, { jwk: ed, seed: nodeRandom(32), comment: "a" });
  const identities = string(
    concat(new Uint8Array([12, 0, 0, 0, 1]), string(blob), string(utf8("a comment"))),
  );
  return [
    ofOctets("SSH key", "ssh", [blob, blobOfJwk(ec), blobOfJwk(ec, APP)], readKeyBlob, 1024),
    ofText("public key line", "lines", [line, ...lines], readPublicKeyLine, 2048),
    ofText("owner's key line", "lines", [line, ...lines], parsePublicKeyLine, 2048),
    ofText("private key file", "lines", [file], parseOpensshPrivateKey, 16_384),
    ofOctets("agent's keys", "ssh", [identities], readAgentIdentities),
    ofOctets(
      "agent's signature",
      "ssh",
      [string(concat(new Uint8Array([14]), string(sshsig)))],
      readAgentSignature,
    ),
    ofOctets("agent's length", "ssh", [identities], agentMessageLength),
  ];
}

function signatureParsers({ story, sshsig, statements }: Samples): readonly Parser[] {
  const key = { jwk: story.keys.owner.key };
  const [statement] = statements;
  const given = { message: statement, namespace: CONSENT_NAMESPACE };
  const sk = sshKeyOf(key.jwk, APP);
  const touched = concat(
    string(utf8("sk-ssh-ed25519@openssh.com")),
    string(new Uint8Array(64)),
    new Uint8Array([5, 0, 0, 0, 1]),
  );
  const skSig = writeSshsig({ ...readSshsig(sshsig), publicKey: sk.blob, signature: touched });
  const text = base64(sshsig);
  const header = '{"alg":"Ed25519","typ":"agent-consent+jwt"}';
  const signatures: readonly [object, ...object[]] = [
    { k: "sshsig", s: text },
    { k: "jws", s: `${base64url(utf8(header))}.${base64url(statement)}.AAAA` },
    { k: "webauthn", a: "AAAA", c: "AAAA", s: "AAAA" },
  ];
  const challenge = new Uint8Array(32);
  const pages = { rpId: "id.example.com", origins: ["https://id.example.com"] };
  const asserted = { challenge, pages, key: { jwk: key.jwk, app: pages.rpId } };
  const clientData = utf8(
    `{"type":"webauthn.get","challenge":"${base64url(challenge)}","origin":"https://id.example.com"}`,
  );
  const authenticatorData = concat(
    nodeCrypto.sha256(utf8(pages.rpId)),
    new Uint8Array([0x85, 0, 0, 0, 1, 0xa0]),
  );
  const assertion = { a: base64url(authenticatorData), c: base64url(clientData), s: "AAAA" };
  return [
    ofOctets("SSHSIG", "ssh", [sshsig], readSshsig, 4096),
    ofText("armour", "lines", [writeArmor(sshsig)], readArmor, 8192),
    ofText("claimed key", "lines", [text], claimedKeyOf),
    ofOctets("verified SSHSIG", "ssh", [sshsig], (signature) =>
      verifySshsig(credulous, { ...given, signature, key: sshKeyOf(key.jwk) }),
    ),
    ofOctets("verified SSHSIG of a security key", "ssh", [skSig], (signature) =>
      verifySshsig(credulous, { ...given, signature, key: sk }),
    ),
    ofJson("owner's signature", signatures, (value) => readOwnerSignature(value)),
    ofOctets("WebAuthn client data", "json", [clientData], (octets) =>
      verifyAssertion(credulous, {
        ...asserted,
        assertion: { ...assertion, c: base64url(octets) },
      }),
    ),
    ofOctets("WebAuthn authenticator data", "plain", [authenticatorData], (octets) =>
      verifyAssertion(credulous, {
        ...asserted,
        assertion: { ...assertion, a: base64url(octets) },
      }),
    ),
    ofJson("verified owner's signature", signatures, (value) =>
      verifyOwnerSignature(credulous, {
        statementBytes: statement,
        signature: readOwnerSignature(value),
        key,
      }),
    ),
  ];
}

function statementParsers({ story, statements }: Samples): readonly Parser[] {
  const shown = canonicalBytes(CREDENTIAL);
  const approval = story.bundle.approval;
  return [
    ofOctets("statement", "json", statements, (octets) => readStatement(nodeCrypto, octets), 8192),
    ofOctets(
      "statement signed before",
      "json",
      statements,
      (octets) => readStatement(nodeCrypto, octets, { preSigned: true }),
      8192,
    ),
    ofOctets("words of a statement", "json", [shown, ...statements], (octets) =>
      signedText(readStatement(nodeCrypto, octets)),
    ),
    ofOctets("screen of a statement", "json", [shown], (octets) =>
      renderTerminal(render(nodeCrypto, readStatement(nodeCrypto, octets), REQUEST_R), {
        columns: 80,
      }),
    ),
    ofOctets("approval", "json", [statements[0]], (octets) => {
      if (approval === undefined) throw new TypeError("the story has an owner");
      return verifyApproval(
        credulous,
        readStatement(nodeCrypto, octets),
        approval.sig,
        approval.key,
      );
    }),
    ofText("code", "plain", ["9DD6X-2QK7M", "9dd6x 2qk7m"], readCode),
    ofText("code of a request", "jws", ["a.b.c"], (text) => requestCode(nodeCrypto, text)),
    ofText("words of an agent", "plain", ["please\u202e **mail** <b> https://a.b"], (text) =>
      fenceNote(text),
    ),
  ];
}

/** SSH formats, statements and what is shown of them. */
export function consentParsers(s: Samples): readonly Parser[] {
  return [...keyParsers(s), ...signatureParsers(s), ...statementParsers(s)];
}
