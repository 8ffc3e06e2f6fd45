// What owners' programs and devices make for a statement: SSHSIG of plain and of security keys, JWS, WebAuthn assertions.
import {
  base64,
  base64url,
  concat,
  CONSENT_NAMESPACE,
  fromBase64url,
  makeSshsig,
  sshKeyOf,
  sshsigSignedData,
  utf8,
  writeSshsig,
} from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";

export const APP = "ssh:agent-consent";
export const PAGES = { rp_id: "consent.example.org", origin: "https://consent.example.org" };
/** Flag bits of authenticator data; a security key of SSH has the first two. */
export const FLAG = { UP: 0x01, UV: 0x04, BE: 0x08, BS: 0x10 };

function uint32(value) {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
}
const sshString = (data) => concat(uint32(data.length), data);

/** A positive number in its shortest form, with a zero octet where its first bit is set. */
function shortest(number) {
  const digits = number.subarray(number.findIndex((octet) => octet !== 0));
  return digits[0] >= 0x80 ? concat(Uint8Array.of(0), digits) : digits;
}

const halves = (raw) => [raw.subarray(0, 32), raw.subarray(32)].map(shortest);

function derOf(raw) {
  const body = concat(
    ...halves(raw).map((number) => concat(Uint8Array.of(2, number.length), number)),
  );
  return concat(Uint8Array.of(0x30, body.length), body);
}

export async function ssh({ by, over, namespace = CONSENT_NAMESPACE }) {
  return { k: "sshsig", s: base64(await makeSshsig(c, by, namespace, over.bytes)) };
}

/** What a security key makes: flags and counter stand inside what is signed. */
export async function sk({ by, over, flags, app = APP }) {
  const inner = sshsigSignedData(c, CONSENT_NAMESPACE, "sha512", over.bytes);
  const tail = concat(Uint8Array.of(flags), uint32(42));
  const raw = await by.sign(concat(c.sha256(utf8(app)), tail, c.sha256(inner)));
  const isEc = by.key.kty === "EC";
  const type = isEc ? "sk-ecdsa-sha2-nistp256@openssh.com" : "sk-ssh-ed25519@openssh.com";
  const body = isEc ? concat(...halves(raw).map(sshString)) : raw;
  const signature = concat(sshString(utf8(type)), sshString(body), tail);
  const publicKey = sshKeyOf(by.key, app).blob;
  const blob = { publicKey, namespace: CONSENT_NAMESPACE, hash: "sha512", signature };
  return { k: "sshsig", s: base64(writeSshsig(blob)) };
}

export async function jws({ by, over, header = {} }) {
  const head = { alg: by.alg, typ: "agent-consent+jwt", ...header };
  const input = `${base64url(utf8(JSON.stringify(head)))}.${base64url(over.bytes)}`;
  return { k: "jws", s: `${input}.${base64url(await by.sign(utf8(input)))}` };
}

/** What an authenticator and the browser before it make: the challenge is the statement's digest. */
export async function webauthn({ by, over, flags = FLAG.UP | FLAG.UV, ...otherwise }) {
  const { rpId = PAGES.rp_id, client = {}, tail = new Uint8Array(0) } = otherwise;
  const data = concat(c.sha256(utf8(rpId)), Uint8Array.of(flags), uint32(7), tail);
  const text = utf8(
    JSON.stringify({
      type: "webauthn.get",
      challenge: over.cs.slice("sha-256:".length),
      origin: PAGES.origin,
      crossOrigin: false,
      ...client,
    }),
  );
  const raw = await by.sign(concat(data, c.sha256(text)));
  const s = by.key.kty === "EC" ? derOf(raw) : raw;
  return { k: "webauthn", a: base64url(data), c: base64url(text), s: base64url(s) };
}

/** The same assertion with these flags set afterwards. */
export function flipped(assertion, flags) {
  const data = fromBase64url(assertion.a);
  data[32] = flags;
  return { ...assertion, a: base64url(data) };
}
