import {
  base64,
  ENDORSEMENT,
  EVIDENCE,
  memoryReplayStore,
  open,
  openCheckpoint,
  parseCsr,
  parseTlogProof,
  presentedOf,
  readBundle,
  readStatement,
  REQUEST,
  verify,
  verifyApproval,
  verifyPath,
  verifyTlogProof,
  verifyWit,
  verifyWpt,
  witTrustOf,
  writeTlogProof,
} from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { NOW, RESOURCE } from "./samples.ts";
import type { Samples } from "./samples.ts";
import type { Input } from "./units.ts";

/** Something signed, and who judges it: not one octet of it may be another. */
export interface SignedObject {
  readonly name: string;
  readonly input: Input;
  readonly judge: (input: Input) => Promise<unknown>;
}

const text = (
  name: string,
  input: string,
  judge: (input: string) => Promise<unknown>,
): SignedObject => ({
  name,
  input,
  judge: (changed) => judge(String(changed)),
});
const octets = (
  name: string,
  input: Uint8Array,
  judge: (input: Uint8Array) => Promise<unknown>,
): SignedObject => ({
  name,
  input,
  judge: (changed) => judge(typeof changed === "string" ? Buffer.from(changed) : changed),
});

function tokens({ story, triple, hands, wpt }: Samples): readonly SignedObject[] {
  const trust = witTrustOf(c, story.trust);
  const { wit } = story.presented;
  const judgeWpt = async (proof: string): Promise<unknown> =>
    verifyWpt(c, {
      proof,
      wit: await verifyWit(c, wit, trust, NOW),
      headers: [],
      audiences: [`${RESOURCE}/`],
      maxLifeSeconds: 600,
      now: NOW,
      replay: memoryReplayStore({ maxEntries: 10 }),
    });
  return [
    text("R", triple.request.octets, (token) => open(c, REQUEST, token)),
    text("N", triple.endorsement.octets, (token) => open(c, ENDORSEMENT, token)),
    text("E", triple.evidence.octets, (token) => open(c, EVIDENCE, token, [hands.proxy.key])),
    text("WIT", wit, (token) => verifyWit(c, token, trust, NOW)),
    text("WPT", wpt, judgeWpt),
  ];
}

function certificates({ story, csr }: Samples): readonly SignedObject[] {
  const [leaf = new Uint8Array(0), issuing = new Uint8Array(0)] = story.credential.chain;
  const path = { purpose: "any", now: NOW, anchors: story.domain.bundle.roots } as const;
  return [
    octets("certificate", leaf, (der) => verifyPath(c, { ...path, chain: [der, issuing] })),
    octets("certificate of a CA", issuing, (der) => verifyPath(c, { ...path, chain: [leaf, der] })),
    octets("CSR", csr, (der) => parseCsr(c, der)),
  ];
}

function approvals({ story, sshsig }: Samples): readonly SignedObject[] {
  const { statement } = story;
  const key = { jwk: story.keys.owner.key };
  const judge = (bytes: Uint8Array, blob: Uint8Array): Promise<unknown> =>
    verifyApproval(c, readStatement(c, bytes), { k: "sshsig", s: base64(blob) }, key);
  return [
    octets("statement", statement.bytes, async (bytes) => judge(bytes, sshsig)),
    octets("SSHSIG", sshsig, (blob) => judge(statement.bytes, blob)),
  ];
}

/** A checkpoint as far as the log signed it: lines of witnesses are theirs, and nobody else's are ours to judge. */
function byLogAlone(checkpoint: string): string {
  const end = checkpoint.indexOf("\n", checkpoint.indexOf("\n\n") + 2);
  return checkpoint.slice(0, end + 1);
}

function logged({ story }: Samples): readonly SignedObject[] {
  const { leaf, proof: whole } = story.bundle.credential;
  const parts = parseTlogProof(whole);
  const checkpoint = byLogAlone(parts.checkpoint);
  const proof = writeTlogProof({ ...parts, checkpoint });
  const { vkey } = story.domain.bundle.log;
  return [
    text("checkpoint", checkpoint, (note) => openCheckpoint(c, note, vkey)),
    text("tlog-proof", proof, (given) => verifyTlogProof(c, { proof: given, entry: leaf, vkey })),
    octets("leaf", leaf, (entry) => verifyTlogProof(c, { proof, entry, vkey })),
  ];
}

/** Every signed object, with the code that judges it from configured trust alone. */
export function everySigned(s: Samples): readonly SignedObject[] {
  const { story, bundleText, several, severalText } = s;
  const { wit, chain } = story.presented;
  const demand = { proof: "logged", resource: `${RESOURCE}/` } as const;
  return [
    ...tokens(s),
    ...certificates(s),
    ...approvals(s),
    ...logged(s),
    text("bundle", bundleText, async (changed) =>
      verify(c, presentedOf(wit, chain, readBundle(changed)), story.trust, demand, NOW),
    ),
    text("bundle of several owners", severalText, async (changed) => {
      const shown = presentedOf(
        several.presented.wit,
        several.presented.chain,
        readBundle(changed),
      );
      return verify(c, shown, several.trust, demand, NOW);
    }),
  ];
}
