// A server that keeps no rule: it signs whatever it likes with its own keys. What it cannot make is the owner's
// signature, the anchor's, and those of the witnesses. SECURITY.md holds the same table, for people.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  agentId,
  entryId,
  isCredentialStatement,
  judgeSubmission,
  leafHash,
  MerkleTree,
  openCheckpoint,
  proxyId,
  readEntry,
  readStatement,
  Refusal,
  render,
  REQUEST,
  seal,
  signCheckpoint,
  thumbprint,
  tileOf,
  utf8,
  verify,
  writeStatement,
} from "../../packages/core/src/index.ts";
import type {
  CredentialStatement,
  Demand,
  OwnerProof,
  Presented,
  Tile,
  Trust,
} from "../../packages/core/src/index.ts";
import { lookAt } from "../../packages/cli/src/log-monitor.ts";
import { approvalOf, owned, unbound } from "../../packages/core/src/verify/mutation.testing.ts";
import {
  makeStory,
  NOW,
  RESOURCE,
  strangerJwk,
  strangerKey,
} from "../../packages/core/src/verify/story.testing.ts";
import type { Story, StoryOptions } from "../../packages/core/src/verify/story.testing.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { nodeCrypto as c } from "../../packages/node/src/index.ts";
import { checkApproval } from "../../packages/proxy/src/agents/approval.ts";
import { identityOf, makeWorld } from "../../packages/proxy/src/world.testing.ts";
import { d } from "../../packages/server/src/people.testing.ts";
import { entryOf, seededRandom } from "../../packages/server/src/world.testing.ts";

const owner = strangerKey("Ed25519");
const ownKey = strangerKey("Ed25519");
const ownAnchor = strangerKey();
const OWNER_ID = "urn:agent-owner:example.org:alice-0001";
const second = agentId(entryId("example.org", "second"), thumbprint(c, ownAnchor.key));

type Body = CredentialStatement;
const toOwnAnchor = (body: Body): Body => {
  const jkt = thumbprint(c, ownAnchor.key);
  return {
    ...body,
    agent: { ...body.agent, jkt, id: agentId(entryId("example.org", "mailer"), jkt) },
  };
};
const bounds =
  (change: Partial<Body["grant"]>) =>
  (body: Body): Body => ({ ...body, grant: { ...body.grant, ...change } });
const approved = (body: Body): ReturnType<typeof writeStatement> =>
  writeStatement(c, { ...body, decision: "approve" });

/** What each side makes of one lie. `–`: it does not pass by there. */
interface Seen {
  /** A relying party that demands *claimed*, and is shown the two forms only. */
  readonly claimed: string;
  readonly verified: string;
  /** One that demands *logged*, and two of three witnesses. */
  readonly logged: string;
  /** The proxy: before its anchor endorses, and of what is issued. */
  readonly proxy: string;
  /** The owner's program, asked to sign. */
  readonly owner: string;
  readonly witness: string;
  /** `countersign log monitor`, which has followed the log so far. */
  readonly monitor: string;
}
/** What the log does beside: shows others another history, or takes entries out again. */
type Deed = "forks" | "shrinks";
interface Lie {
  readonly name: string;
  readonly change?: StoryOptions;
  readonly mix?: (own: Story, other: Story) => Presented;
  /** The statement that the owner is shown for the request of the true agent; `elsewhere`: it answers another. */
  readonly asked?: (body: Body) => Body;
  readonly log?: Deed;
  readonly seen: Seen;
}

const seen = (verified: string, change: Partial<Seen> = {}): Seen => ({
  claimed: "claimed",
  verified,
  logged: verified,
  proxy: verified,
  owner: "–",
  witness: "cosign",
  monitor: "grown",
  ...change,
});

/** The owner's signature over another statement of his. */
const otherSignature = (own: Story, other: Story): Presented => ({
  ...own.presented,
  approval: { ...approvalOf(own.presented), sig: approvalOf(other.presented).sig },
});

const LIES: readonly Lie[] = [
  {
    name: "shows X and asks to sign Y",
    change: { owner },
    mix: otherSignature,
    asked: (body) => ({ ...body, req: d(9) }),
    seen: seen("signature_invalid", { owner: "approval_unsuitable" }),
  },
  {
    name: "puts its own anchor under a true code",
    change: { owner, statement: toOwnAnchor, endorsedBy: ownAnchor },
    mix: otherSignature,
    asked: toOwnAnchor,
    seen: seen("signature_invalid", { owner: "approval_unsuitable" }),
  },
  {
    name: "asks for more than the agent wants, openly",
    change: { owner, statement: bounds({ max_live: 99 }) },
    mix: otherSignature,
    asked: bounds({ max_live: 99 }),
    seen: seen("signature_invalid", { owner: "shown" }),
  },
  {
    name: "names an approval that is over",
    change: { statement: bounds({ nbf: NOW - 7200, exp: NOW - 3600 }) },
    seen: seen("outside_grant", { proxy: "approval_unsuitable" }),
  },
  {
    name: "names an older or wider approval than the anchor endorsed",
    change: { endorsement: (claims) => ({ ...claims, cs: d(9) }) },
    seen: seen("endorsement_invalid"),
  },
  {
    name: "enrols its own key under the owner's name",
    change: {
      owner: ownKey,
      trust: (domain) => ({
        ...domain,
        ownerPins: [{ jkt: thumbprint(c, owner.key), owner: OWNER_ID }],
      }),
    },
    seen: seen("owner_key_unaccepted", { proxy: "accepted" }),
  },
  {
    name: "replays an approval for another agent",
    change: {
      draft: (draft) => ({ ...draft, agent: second }),
      endorsedBy: ownAnchor,
      endorsement: (claims) => ({ ...claims, sub: second }),
    },
    seen: seen("statement_invalid"),
  },
  {
    name: "replays an approval beyond its count",
    change: { draft: owned(() => ({}), 1001) },
    seen: seen("outside_grant"),
  },
  {
    name: "relabels a denial as an approval",
    change: {
      statement: (body) => ({ ...body, decision: "deny" }),
      draft: owned(({ grant }) => ({ cs: approved(grant.statement).cs })),
      presented: (p) => {
        const statement = readStatement(c, approvalOf(p).st);
        if (!isCredentialStatement(statement)) throw new TypeError("of another kind");
        return { ...p, approval: { ...approvalOf(p), st: approved(statement.body).bytes } };
      },
    },
    seen: seen("signature_invalid"),
  },
  {
    name: "shows a denial",
    change: { statement: (body) => ({ ...body, decision: "deny" }) },
    seen: seen("statement_invalid", { proxy: "approval_unsuitable" }),
  },
  {
    name: "issues without owner",
    change: { draft: unbound },
    seen: seen("owner_missing", { claimed: "owner_missing" }),
  },
  {
    name: "issues without statement, or withholds it",
    mix: ({ presented: { approval: _none, ...presented } }) => presented,
    seen: seen("owner_evidence_needed"),
  },
  {
    name: "issues outside the bounds",
    change: { statement: bounds({ max_ttl: 629 }) },
    seen: seen("outside_grant"),
  },
  {
    name: "puts its own key under a genuine approval",
    change: { draft: (draft) => ({ ...draft, key: strangerJwk() }) },
    seen: seen("endorsement_invalid"),
  },
  {
    name: "conceals a halt, and issues to a key endorsed before it",
    seen: seen("verified", { logged: "logged", proxy: "accepted" }),
  },
  {
    name: "swaps the evidence of two agents",
    mix: ({ presented }, other) => ({ ...presented, approval: approvalOf(other.presented) }),
    seen: seen("owner_claim", { proxy: "approval_unsuitable" }),
  },
  {
    name: "withholds the endorsement",
    mix: ({ presented: { endorsement: _none, ...presented } }) => presented,
    seen: seen("endorsement_missing"),
  },
  {
    name: "leaves the issue out of the log",
    mix: ({ presented: { logged: _none, ...presented } }) => presented,
    seen: seen("verified", { logged: "owner_evidence_needed", proxy: "owner_evidence_needed" }),
  },
  {
    name: "shows the log's proof of another issue",
    mix: ({ presented: { logged: _none, ...presented } }, other) =>
      other.presented.logged === undefined
        ? presented
        : { ...presented, logged: other.presented.logged },
    seen: seen("verified", { logged: "log_proof_invalid", proxy: "log_proof_invalid" }),
  },
  {
    name: "keeps two histories",
    change: { cosignedBy: [] },
    log: "forks",
    seen: seen("verified", {
      logged: "witnesses_missing",
      proxy: "accepted",
      witness: "conflict",
      monitor: "fork",
    }),
  },
  {
    name: "takes the issue out of the log again",
    log: "shrinks",
    seen: seen("verified", {
      logged: "logged",
      proxy: "accepted",
      witness: "refuse",
      monitor: "shrinkage",
    }),
  },
  {
    name: "claims more assurance than the owner's key has",
    change: { draft: owned(() => ({ assurance: 4 })) },
    seen: seen("verified, lowered", { logged: "logged, lowered", proxy: "accepted" }),
  },
];

async function codeOf(run: () => Promise<string> | string): Promise<string> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

const judged = (presented: Presented, trust: Trust, proof: OwnerProof): Promise<string> => {
  const demand: Demand = { proof, resource: RESOURCE };
  return codeOf(async () => {
    const { proof: found, owner: shown } = await verify(c, presented, trust, demand, NOW);
    const isLowered = found !== "claimed" && shown?.assuranceLowered === true;
    return isLowered ? `${found}, lowered` : found;
  });
};

/** The proxy's two checks: of the approval that is pushed, and of what then is issued. */
function byProxy(story: Story, presented: Presented): Promise<string> {
  const { domain, keys, credential } = story;
  const approval = presented.approval ?? approvalOf(story.presented);
  const jkt = thumbprint(c, approval.key.jwk);
  const { witnesses: _none, ...unwitnessed } = domain;
  const trust: Trust = new Map([[domain.origin, { ...unwitnessed, ownerPins: [{ jkt }] }]]);
  const id = proxyId("example.org", "laptop");
  const w = makeWorld({
    folder: "",
    identity: identityOf(id, keys.anchor, credential.chain[0] ?? new Uint8Array()),
    clock: () => NOW,
    timers: new ManualTimers(),
    random: seededRandom("proxy"),
    uplink: () => {
      throw new Error("nothing is sent");
    },
    server: () => ({
      state: undefined,
      isConnected: false,
      heardAt: 0,
      seen: undefined,
      pages: undefined,
    }),
  });
  const scope = {
    entry: readEntry(entryOf({ owner: OWNER_ID, proxy: id })),
    anchor: thumbprint(c, keys.anchor.key),
    measurements: story.statement.body.agent.meas,
    issuer: "https://id.example.org",
    trustDomain: "example.org",
  };
  return codeOf(async () => {
    const { cs } = readStatement(c, approval.st);
    await checkApproval(w, { agent: story.agent, cs, model: "server", approval }, scope);
    await verify(c, presented, trust, { proof: "logged" }, NOW);
    return "accepted";
  });
}

/** The owner's program, shown a statement with the request of the true agent. */
async function byOwner(story: Story, asked: Lie["asked"]): Promise<string> {
  if (asked === undefined) return "–";
  const { statement, keys } = await makeStory({ owner });
  const request = await seal(
    c,
    REQUEST,
    {
      aud: statement.body.aud,
      nonce: statement.body.nonce,
      iat: NOW,
      exp: NOW + 300,
      sub: entryId("example.org", "mailer"),
      anchor: thumbprint(c, keys.anchor.key),
    },
    story.keys.credential,
  );
  const shown = writeStatement(c, asked({ ...statement.body, req: request.digest }));
  return codeOf(() => (render(c, shown, request).fullText === "" ? "nothing" : "shown"));
}

/** The log of this issue, and the one that is shown to others. */
function treesOf(story: Story): readonly [own: MerkleTree, other: MerkleTree] {
  const [own, other] = [new MerkleTree(c), new MerkleTree(c)];
  for (const entry of [utf8("before"), story.bundle.credential.leaf, utf8("after")])
    own.append(leafHash(c, entry));
  for (const entry of ["before", "elsewhere", "after"]) other.append(leafHash(c, utf8(entry)));
  return [own, other];
}

/** What was seen of the log before, and what it shows now: its tree, and of what size. */
function shownBy(story: Story, deed: Deed | undefined) {
  const [own, other] = treesOf(story);
  const [whole, before] = [
    { tree: own, size: own.size },
    { tree: own, size: 1 },
  ];
  if (deed === "shrinks") return { known: whole, now: before };
  return { known: deed === "forks" ? { tree: other, size: other.size } : before, now: whole };
}

/** A witness that has cosigned what was there before this issue: of the log's own, or of the other history. */
function byWitness(story: Story, deed: Deed | undefined): string {
  const { known, now } = shownBy(story, deed);
  const headOf = ({ tree, size }: typeof now) => ({ origin: "log", size, root: tree.root(size) });
  const proof = deed === undefined ? now.tree.consistencyProof(known.size) : [];
  const submission = { oldSize: known.size, proof, checkpoint: "" };
  return judgeSubmission(c, submission, headOf(now), headOf(known)).do;
}

/** `countersign log monitor`, started when there was less, or another history. */
async function byMonitor(story: Story, deed: Deed | undefined): Promise<string> {
  const { known, now } = shownBy(story, deed);
  const { origin, vkey } = story.domain.bundle.log;
  const textOf = ({ tree, size }: typeof now) =>
    signCheckpoint(c, { origin, size, root: tree.root(size) }, story.keys.log);
  const client = {
    checkpoint: () => textOf(now),
    tile: async (tile: Tile) => tileOf(now.tree, tile),
  };
  const look = await lookAt(c, client, vkey, await openCheckpoint(c, await textOf(known), vkey));
  return look.is === "alarm" ? look.alarm : look.is;
}

describe("a server that keeps no rule", () => {
  it.each(LIES)("$name", async (lie) => {
    const own = await makeStory(lie.change);
    const presented = lie.mix?.(own, await makeStory(lie.change)) ?? own.presented;
    const { approval: _a, endorsement: _e, logged: _l, ...forms } = presented;
    const found: Seen = {
      claimed: await judged(forms, own.trust, "claimed"),
      verified: await judged(presented, own.trust, "verified"),
      logged: await judged(presented, own.trust, "logged"),
      proxy: await byProxy(own, presented),
      owner: await byOwner(own, lie.asked),
      witness: byWitness(own, lie.log),
      monitor: await byMonitor(own, lie.log),
    };
    expect(found).toEqual(lie.seen);
  });

  it("has the same table in SECURITY.md", () => {
    const text = readFileSync(new URL("../../SECURITY.md", import.meta.url), "utf8");
    const [, table = ""] = /^\| It … [^\n]*\n\|[- |]*\n((?:\|[^\n]*\n)*)/m.exec(text) ?? [];
    const rows = table
      .trim()
      .split("\n")
      .map((row) =>
        row
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim().replaceAll("`", "")),
      );
    expect(rows).toEqual(
      LIES.map(({ name, seen: s }) => [
        ...[name, s.claimed, s.verified, s.logged],
        ...[s.proxy, s.owner, s.witness, s.monitor],
      ]),
    );
  });
});
