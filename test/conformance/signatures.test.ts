import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { base64url, concat, fromBase64url, utf8 } from "@countersign/core";
import type { EcJwk, Jwk, OkpJwk, SignatureAlgorithm } from "@countersign/core";
import { nodeCrypto, publicJwkOf } from "@countersign/node";
import { webCrypto } from "@countersign/sdk/verify";

// Rows in the classes of Project Wycheproof, made here: each goes through both implementations of the primitives.
const IMPLEMENTATIONS = [
  ["node:crypto", nodeCrypto],
  ["WebCrypto", webCrypto()],
] as const;

const DATA = utf8("what was signed");
type Octets = Uint8Array;

/** A number as big-endian octets of that width. */
function octetsOf(value: bigint, width: number): Octets {
  return Uint8Array.from({ length: width }, (_, i) =>
    Number((value >> BigInt(8 * (width - 1 - i))) & 255n),
  );
}
const numberOf = (octets: Octets): bigint => BigInt(`0x${Buffer.from(octets).toString("hex")}`);
const littleEndian = (value: bigint): Octets => octetsOf(value, 32).toReversed();

interface Curve {
  readonly alg: SignatureAlgorithm;
  readonly crv: EcJwk["crv"];
  readonly hash: string;
  readonly width: number;
  readonly p: bigint;
  readonly n: bigint;
  readonly g: readonly [bigint, bigint];
}
const P256: Curve = {
  alg: "ES256",
  crv: "P-256",
  hash: "sha256",
  width: 32,
  p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
  n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  g: [
    0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
    0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
  ],
};
const P384: Curve = {
  alg: "ES384",
  crv: "P-384",
  hash: "sha384",
  width: 48,
  p: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
  n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  g: [
    0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7n,
    0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5fn,
  ],
};

const keyOf = ({ crv, width }: Curve, x: bigint, y: bigint): EcJwk => ({
  kty: "EC",
  crv,
  x: base64url(octetsOf(x, width)),
  y: base64url(octetsOf(y, width)),
});
const rs = (width: number, r: bigint, s: bigint): Octets =>
  concat(octetsOf(r, width), octetsOf(s, width));
const signed = (key: KeyObject, hash: string | null, dsaEncoding: "der" | "ieee-p1363"): Octets =>
  new Uint8Array(sign(hash, DATA, { key, dsaEncoding }));

/** A private key that is written down: Q = G, or its negative. */
function edgeKey(curve: Curve, d: bigint): { readonly key: EcJwk; readonly signature: Octets } {
  const [x, y] = curve.g;
  const key = keyOf(curve, x, d === 1n ? y : curve.p - y);
  const secret = createPrivateKey({
    key: { ...key, d: base64url(octetsOf(d, curve.width)) },
    format: "jwk",
  });
  return { key, signature: signed(secret, curve.hash, "ieee-p1363") };
}

/** A key whose x begins with a zero, which is cut: one of 256. */
function zeroKey({ crv, hash }: Curve): { readonly cut: EcJwk; readonly signature: Octets } {
  for (;;) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: crv });
    const key = publicJwkOf(privateKey);
    if (key.kty !== "EC") throw new TypeError("an EC key was made");
    const x = fromBase64url(key.x);
    if (x[0] !== 0) continue;
    const cut = { ...key, x: base64url(x.subarray(1)) };
    return { cut, signature: signed(privateKey, hash, "ieee-p1363") };
  }
}

/** Name, signature, whether it is taken; the key and algorithm are the curve's unless the row names others. */
type Draft = readonly [string, Octets, boolean, Jwk?, SignatureAlgorithm?];
type Row = readonly [string, Octets, boolean, Jwk, SignatureAlgorithm];

/** Rows that name no key or algorithm have those of the table. */
function filled(drafts: readonly Draft[], key: Jwk, alg: SignatureAlgorithm): readonly Row[] {
  return drafts.map(([name, octets, isTaken, other = key, otherAlg = alg]) => [
    name,
    octets,
    isTaken,
    other,
    otherAlg,
  ]);
}

function ecdsaRows(curve: Curve): readonly Row[] {
  const { width, n, p } = curve;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: curve.crv });
  const key = publicJwkOf(privateKey);
  if (key.kty !== "EC") throw new TypeError("an EC key was made");
  const signature = signed(privateKey, curve.hash, "ieee-p1363");
  const r = numberOf(signature.subarray(0, width));
  const s = numberOf(signature.subarray(width));
  const x = numberOf(fromBase64url(key.x));
  const y = numberOf(fromBase64url(key.y));
  const zero = new Uint8Array(1);
  const edge = (name: string, a: bigint, b: bigint): Draft => [name, rs(width, a, b), false];
  const other = curve === P256 ? P384 : P256;
  const stranger = publicJwkOf(generateKeyPairSync("ec", { namedCurve: other.crv }).privateKey);
  const one = edgeKey(curve, 1n);
  const last = edgeKey(curve, n - 1n);
  const begun = zeroKey(curve);
  const rows: readonly Draft[] = [
    ["as it was made", signature, true],
    // RFC 7518 3.4 and RFC 7515 ask for no low s; nothing here names a signature by its octets
    ["s replaced by n − s", rs(width, r, n - s), true],
    ["a key whose secret is 1", one.signature, true, one.key],
    ["a key whose secret is n − 1", last.signature, true, last.key],
    edge("r = 0", 0n, s),
    edge("s = 0", r, 0n),
    edge("r = s = 0", 0n, 0n),
    edge("r = n", n, s),
    edge("s = n", r, n),
    edge("r = n + 1", n + 1n, s),
    edge("s = n + 1", r, n + 1n),
    edge("r = 0, s = 1", 0n, 1n),
    edge("r = s = 1", 1n, 1n),
    edge("r = 1, s = n − 1", 1n, n - 1n),
    edge("r = s = n", n, n),
    edge("r = s = p", p, p),
    edge("r and s all ones", 2n ** BigInt(8 * width) - 1n, 2n ** BigInt(8 * width) - 1n),
    edge("r replaced by n − r", n - r, s),
    edge("r and s exchanged", s, r),
    edge("r + 1", r + 1n, s),
    edge("s + 1", r, s + 1n),
    // RFC 7518 3.4: r ‖ s, each of the full width
    ["DER where r ‖ s is due", signed(privateKey, curve.hash, "der"), false],
    ["nothing", new Uint8Array(0), false],
    ["r alone", signature.subarray(0, width), false],
    ["one octet less", signature.subarray(1), false],
    ["the last octet cut off", signature.subarray(0, -1), false],
    ["one octet more", concat(signature, zero), false],
    ["a zero before it", concat(zero, signature), false],
    [
      "zeros before r and s",
      concat(zero, signature.subarray(0, width), zero, signature.subarray(width)),
      false,
    ],
    ["half as long again", concat(signature, new Uint8Array(width)), false],
    ["twice", concat(signature, signature), false],
    ["another hash", signed(privateKey, "sha512", "ieee-p1363"), false],
    ["a key of another curve", signature, false, stranger],
    ["an algorithm of another curve", signature, false, key, other.alg],
    ["an Edwards algorithm", signature, false, key, "Ed25519"],
    ["the negative of the key", signature, false, keyOf(curve, x, p - y)],
    ["a key off the curve", signature, false, keyOf(curve, x, (y + 1n) % p)],
    ["the point at infinity, as zeros", signature, false, keyOf(curve, 0n, 0n)],
    ["x + p", signature, false, keyOf(curve, x + p, y)],
    ["y = p", signature, false, keyOf(curve, x, p)],
    ["x and y exchanged", signature, false, keyOf(curve, y, x)],
    ["x without its leading zero", begun.signature, false, begun.cut],
    ["x cut short", signature, false, { ...key, x: base64url(fromBase64url(key.x).subarray(1)) }],
    ["a key named as one of another curve", signature, false, { ...key, crv: other.crv }],
  ];
  return filled(rows, key, curve.alg);
}

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const FIELD = 2n ** 255n - 19n;
const fromHex = (text: string): Octets => new Uint8Array(Buffer.from(text, "hex"));
const edwards = (octets: Octets): OkpJwk => ({ kty: "OKP", crv: "Ed25519", x: base64url(octets) });
const IDENTITY = littleEndian(1n);
const EIGHTHS = [
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map((text) => numberOf(fromHex(text).toReversed()));
/** Every encoding of a point of small order, and of what a careless reader takes for one. */
const SMALL: readonly (readonly [string, Octets])[] = [
  0n,
  1n,
  FIELD - 1n,
  ...EIGHTHS,
  FIELD,
  FIELD + 1n,
].flatMap((y) =>
  [y, y + 2n ** 255n].map(
    (code) => [Buffer.from(littleEndian(code)).toString("hex"), littleEndian(code)] as const,
  ),
);

function ed25519Rows(): readonly Row[] {
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = publicJwkOf(privateKey);
  const signature = new Uint8Array(sign(null, DATA, privateKey));
  const r = signature.subarray(0, 32);
  const half = signature.subarray(32);
  const s = numberOf(half.toReversed());
  const withS = (value: bigint): Octets => concat(r, littleEndian(value));
  const flipped = (at: number): Octets =>
    signature.map((octet, i) => (i === at ? octet ^ 1 : octet));
  const ec = publicJwkOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
  const x = fromBase64url(key.x);
  const negative = x.map((octet, i) => (i === 31 ? octet ^ 0x80 : octet));
  const rows: readonly Draft[] = [
    ["as it was made", signature, true],
    ["by its other name", signature, true, key, "EdDSA"],
    // RFC 8032 5.1.7: S below the order, or one signature has many spellings
    ["S + L", withS(s + ORDER), false],
    ["S + 2 L", withS(s + 2n * ORDER), false],
    ["S = L", withS(ORDER), false],
    ["S = 0", withS(0n), false],
    ["S with its highest bit", withS(s + 2n ** 255n), false],
    ["S all ones", withS(2n ** 256n - 1n), false],
    ["L − S", withS(ORDER - s), false],
    ["R the identity", concat(IDENTITY, half), false],
    [
      "R with its other sign",
      signature.map((octet, i) => (i === 31 ? octet ^ 0x80 : octet)),
      false,
    ],
    ["R over p", concat(littleEndian(FIELD + 1n), half), false],
    ["R and S exchanged", concat(half, r), false],
    ["a bit of R", flipped(0), false],
    ["a bit of S", flipped(32), false],
    ["zeros", new Uint8Array(64), false],
    ["nothing", new Uint8Array(0), false],
    ["R alone", r, false],
    ["one octet less", signature.subarray(0, -1), false],
    ["one octet more", concat(signature, new Uint8Array(1)), false],
    ["twice", concat(signature, signature), false],
    ["the key's negative", signature, false, edwards(negative)],
    ["a key of 31 octets", signature, false, edwards(x.subarray(1))],
    ["a key of 33 octets", signature, false, edwards(concat(x, new Uint8Array(1)))],
    ["a key that is no point", signature, false, edwards(littleEndian(2n))],
    ["a key of P-256", signature, false, ec],
    ["an algorithm of P-256", signature, false, key, "ES256"],
    // any S and R = S·B fit the identity: S = 0 fits every message. Both platforms take it; we do not.
    ...SMALL.map(([name, octets]): Draft => [
      `key ${name}`,
      concat(IDENTITY, new Uint8Array(32)),
      false,
      edwards(octets),
    ]),
    ...SMALL.map(([name, octets]): Draft => [
      `key and R ${name}`,
      concat(octets, new Uint8Array(32)),
      false,
      edwards(octets),
    ]),
  ];
  return filled(rows, key, "Ed25519");
}

describe.each(IMPLEMENTATIONS)("signatures by %s", (_name, c) => {
  it.each(ecdsaRows(P256))("RFC 7518 3.4, ES256: %s", async (_row, octets, wanted, key, alg) => {
    expect(await c.verify(alg, key, DATA, octets)).toBe(wanted);
  });

  it.each(ecdsaRows(P384))("RFC 7518 3.4, ES384: %s", async (_row, octets, wanted, key, alg) => {
    expect(await c.verify(alg, key, DATA, octets)).toBe(wanted);
  });

  it.each(ed25519Rows())("RFC 8037 3.1, Ed25519: %s", async (_row, octets, wanted, key, alg) => {
    expect(await c.verify(alg, key, DATA, octets)).toBe(wanted);
  });

  it.each(SMALL)("RFC 8032 8.8: a key of small order is none: %s", (_row, octets) => {
    expect(c.isValidKey(edwards(octets))).toBe(false);
  });
});

describe("both implementations", () => {
  it("agree on every row", async () => {
    const rows = [ecdsaRows(P256), ecdsaRows(P384), ed25519Rows()];
    for (const [name, octets, , key, alg] of rows.flat()) {
      const found = await Promise.all(
        IMPLEMENTATIONS.map(([, c]) => c.verify(alg, key, DATA, octets)),
      );
      const valid = IMPLEMENTATIONS.map(([, c]) => c.isValidKey(key));
      expect({ name, found: new Set(found).size, valid: new Set(valid).size }).toEqual({
        name,
        found: 1,
        valid: 1,
      });
    }
  });
});
