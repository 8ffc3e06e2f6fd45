// The rows that need no server: one operation of core each, against its signatures and verifications alone.
import { core, node } from "./dist.mjs";
import { ownerRows } from "./owner.mjs";
import { rawOf } from "./raw.mjs";
import { makeEvidence, makeProofs, makeStory, NOW } from "./story.mjs";

const POOL = 512;
const REPLAY_ENTRIES = 4_000_000;

const at = (pool, i) => pool[i % pool.length];

async function poolOf(count, make) {
  const pool = [];
  for (let i = 0; i < count; i += 1) pool.push(await make());
  return pool;
}

function mintRows({ c, keys, witDraft, wicDraft }) {
  const raw = rawOf("P-256", 900);
  const { key } = node.generateSigner();
  const limit = () => {
    raw.sign();
    raw.verify();
  };
  return [
    {
      name: "wit-mint",
      aim: 0.8,
      what: "sign a token and read it back; limit: 1 signature, 1 verification",
      run: () => core.sealWit(c, witDraft(key), keys.wit),
      limit,
    },
    {
      name: "wic-mint",
      aim: 0.5,
      what: "sign a certificate and read it back; limit: 1 signature, 1 verification",
      run: () => core.buildWic(c, wicDraft(key), keys.issuing),
      limit,
    },
  ];
}

async function witRows({ c, keys, trust, witDraft }) {
  const fresh = async () =>
    (await core.sealWit(c, witDraft(node.generateSigner().key), keys.wit)).octets;
  const remembering = core.rememberingCrypto(c, 2 * POOL);
  const known = await poolOf(POOL, fresh);
  const { verify: limit } = rawOf("P-256", 900);
  return [
    {
      name: "wit-verify",
      aim: 0.8,
      what: "a token never seen, its key imported before; limit: 1 verification",
      prepare: (count) => poolOf(count, fresh),
      runAll: async (items) => {
        for (const wit of items) await core.verifyWit(c, wit, trust, NOW);
      },
      limit,
    },
    {
      name: "wit-verify-cached",
      aim: 0.8,
      what: "a token that came before, as a relying party keeps it; limit: 1 verification",
      run: (i) => core.verifyWit(remembering, at(known, i), trust, NOW),
      limit,
    },
  ];
}

async function wptRow(story) {
  const replay = core.memoryReplayStore({ maxEntries: REPLAY_ENTRIES });
  return {
    name: "wpt-verify",
    aim: 0.8,
    what: "a new proof under a token that was verified; limit: 1 verification",
    prepare: (count) => makeProofs(story, count),
    runAll: async (proofs) => {
      for (const proof of proofs) await core.verifyWpt(story.c, { ...proof, replay });
    },
    limit: rawOf("P-256", 250).verify,
  };
}

function statementRow({ c, statement, signature, keys }) {
  const key = { jwk: keys.owner.key };
  return {
    name: "statement-verify",
    aim: 0.8,
    what: "read an owner's statement, verify the signature (Ed25519); limit: 1 verification",
    run: () => core.verifyApproval(c, core.readStatement(c, statement.bytes), signature, key),
    limit: rawOf("Ed25519", 110).verify,
  };
}

async function evidenceRow(story) {
  const { proxy, evidence, entry, references } = await makeEvidence(story, POOL);
  return {
    name: "evidence-appraise",
    aim: 0.8,
    what: "open evidence and appraise it; limit: 1 verification",
    run: async (i) => {
      const { claims } = await core.open(story.c, core.EVIDENCE, at(evidence, i), [proxy]);
      return core.appraise(claims, entry, references, "standard", undefined);
    },
    limit: rawOf("P-256", 1100).verify,
  };
}

/** The rows of core, ready to run. */
export async function coreRows() {
  const story = await makeStory();
  return [
    ...mintRows(story),
    ...(await witRows(story)),
    await wptRow(story),
    statementRow(story),
    ...(await ownerRows(story)),
    await evidenceRow(story),
  ];
}
