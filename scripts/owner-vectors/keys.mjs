// Keys and signatures that are the same at every run: each private key is SHA-256 of words that stand here, and ECDSA
// draws its secret number from key and message (RFC 6979), so that it needs no randomness.
import { createECDH, createHash, createHmac } from "node:crypto";
import { base64, base64url, concat, utf8 } from "@countersign/core";
import { nodeCrypto as c, privateKeyFromPem, signerOf } from "@countersign/node";

const PKCS8_ED25519 = Buffer.from("302e020100300506032b657004220420", "hex");
/** Order of P-256. */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const FIELD_BYTES = 32;

const bigOf = (octets) => BigInt(`0x${Buffer.from(octets).toString("hex")}`);
const octetsOf = (number) => Buffer.from(number.toString(16).padStart(2 * FIELD_BYTES, "0"), "hex");
const sha256 = (data) => createHash("sha256").update(data).digest();

function power(base, exponent) {
  let [result, square] = [1n, base % N];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % N;
    square = (square * square) % N;
  }
  return result;
}
const inverse = (number) => power(number, N - 2n);

/** The public point of a private number, as two field elements. */
function pointOf(number) {
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(octetsOf(number));
  const point = curve.getPublicKey();
  return [point.subarray(1, 1 + FIELD_BYTES), point.subarray(1 + FIELD_BYTES)];
}

/** The secret numbers of RFC 6979 section 3.2 for P-256 and SHA-256, one after another. */
function* secrets(privateNumber, digest) {
  const seed = Buffer.concat([octetsOf(privateNumber), octetsOf(bigOf(digest) % N)]);
  let [v, k] = [Buffer.alloc(FIELD_BYTES, 1), Buffer.alloc(FIELD_BYTES)];
  const mac = (...parts) => createHmac("sha256", k).update(Buffer.concat(parts)).digest();
  for (const step of [0, 1]) {
    k = mac(v, Buffer.of(step), seed);
    v = mac(v);
  }
  for (;;) {
    v = mac(v);
    const secret = bigOf(v);
    if (secret > 0n && secret < N) yield secret;
    k = mac(v, Buffer.of(0));
    v = mac(v);
  }
}

/** ECDSA on P-256 with SHA-256, r ‖ s. */
function signP256(privateNumber, data) {
  const digest = sha256(data);
  for (const secret of secrets(privateNumber, digest)) {
    const r = bigOf(pointOf(secret)[0]) % N;
    const s = (inverse(secret) * (bigOf(digest) + r * privateNumber)) % N;
    if (r !== 0n && s !== 0n) return new Uint8Array(Buffer.concat([octetsOf(r), octetsOf(s)]));
  }
  throw new Error("there are always more secrets");
}

/** The example of RFC 6979 appendix A.2.5 must come out: otherwise these are no vectors. */
function checkExample() {
  const key = 0xc9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721n;
  const made = Buffer.from(signP256(key, utf8("sample"))).toString("hex");
  const wanted =
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
  if (made !== wanted) throw new Error("not the signature of RFC 6979");
}
checkExample();

/** The Ed25519 key whose seed is SHA-256 of these words. */
export function ed25519Of(words) {
  const der = base64(concat(PKCS8_ED25519, c.sha256(utf8(words))));
  return signerOf(
    privateKeyFromPem(`-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`),
  );
}

/** The P-256 key whose private number is SHA-256 of these words. */
export function p256Of(words) {
  const number = bigOf(sha256(utf8(words)));
  const [x, y] = pointOf(number);
  const key = { kty: "EC", crv: "P-256", x: base64url(x), y: base64url(y) };
  return { key, alg: "ES256", sign: async (data) => signP256(number, data) };
}
