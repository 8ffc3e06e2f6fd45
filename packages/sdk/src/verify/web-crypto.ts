import { webCryptoOn } from "@countersign/core";
import type { Crypto, Subtle } from "@countersign/core";

/**
 * The primitives of core on WebCrypto: ES256, ES384 and, where the runtime has it, Ed25519. Runs at an edge, in a
 * browser and in Node. Holds only a bounded cache of imported public keys.
 * @param subtle default `globalThis.crypto.subtle`
 */
export function webCrypto(
  subtle: Subtle = globalThis.crypto.subtle as unknown as Subtle, // the same calls; the platform types name their own key classes
): Crypto {
  return webCryptoOn(subtle);
}
