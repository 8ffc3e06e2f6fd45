// Node's platform, once. It holds no protocol rule.
export {
  generatePrivateKey,
  generateSigner,
  nodeCrypto,
  nodeRandom,
  privateKeyFromPem,
  publicJwkOf,
  randomName,
  signerOf,
} from "./crypto.ts";
