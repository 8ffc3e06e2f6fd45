// One row a way of signing: read the statement and verify the owner's signature over it as a relying party does, against
// one verification by the same key and algorithm alone.
import { FLAG, jws, PAGES, sk, ssh, webauthn, APP } from "../owner-vectors/makers.mjs";
import { core, node } from "./dist.mjs";
import { rawOf } from "./raw.mjs";
import { statementOf } from "./story.mjs";

const { UP, UV } = FLAG;
const pages = { rpId: PAGES.rp_id, origins: [PAGES.origin] };

/** How each signs, and how many octets its signature covers. */
const KINDS = [
  { name: "owner-sshsig", kind: "P-256", sign: ssh, signedBytes: 110 },
  { name: "owner-sk", kind: "Ed25519", app: APP, sign: sk, signedBytes: 69 },
  { name: "owner-jws", kind: "P-256", sign: jws, signedBytes: 1500 },
  { name: "owner-webauthn", kind: "P-256", app: pages.rpId, sign: webauthn, signedBytes: 69 },
];

async function rowOf(c, anchor, { name, kind, app, sign, signedBytes }) {
  const by = node.generateSigner(kind);
  const over = statementOf(by, anchor);
  const signature = await sign({ by, over, flags: UP | UV });
  const key = { jwk: by.key, ...(app === undefined ? {} : { app }) };
  return {
    name,
    what: `read an owner's statement, verify the signature (${kind}); limit: 1 verification`,
    run: () => core.verifyApproval(c, core.readStatement(c, over.bytes), signature, key, { pages }),
    limit: rawOf(kind, signedBytes).verify,
  };
}

/** The rows, ready to run. */
export function ownerRows({ c, keys }) {
  return Promise.all(KINDS.map((kind) => rowOf(c, keys.anchor, kind)));
}
