// The limit: node:crypto alone, keys imported before, over inputs of the length that the real objects have.
import { createPublicKey, sign, verify } from "node:crypto";
import { node } from "./dist.mjs";

const HASH = { "P-256": "sha256", Ed25519: null };

/** One raw signature and one raw verification with a key of this kind, over `byteCount` octets. */
export function rawOf(kind, byteCount) {
  const privateKey = node.generatePrivateKey(kind);
  const hash = HASH[kind];
  const data = node.nodeRandom(byteCount);
  const signing = { key: privateKey, dsaEncoding: "ieee-p1363" };
  const publicKey = createPublicKey(privateKey);
  const verifying = { key: publicKey, dsaEncoding: "ieee-p1363" };
  const signature = sign(hash, data, signing);
  return {
    sign: () => sign(hash, data, signing),
    verify: () => {
      if (!verify(hash, data, verifying, signature)) throw new Error("the limit does not verify");
    },
  };
}
