import {
  agentId,
  canonicalJson,
  isByOwnersOf,
  readStatement,
  Refusal,
  thumbprint,
  verifyApproval,
  verifyParties,
} from "@countersign/core";
import type { CeilingEntry, Digest, Entry, Measurement, StandingApproval } from "@countersign/core";
import type { ProxyWorld } from "../world.ts";

/** An approval that this proxy has checked itself and may endorse keys for. */
export interface CheckedApproval {
  readonly cs: Digest;
  /** Thumbprints of the keys that signed. */
  readonly ownerKeys: readonly string[];
  readonly until: number;
  readonly ceiling: readonly CeilingEntry[];
  /** One credential only: it is not renewed. */
  readonly isSingle: boolean;
  readonly standing: StandingApproval;
}

export interface ApprovalScope {
  readonly entry: Entry;
  readonly anchor: string;
  readonly measurements: readonly Measurement[];
  readonly issuer: string;
  readonly trustDomain: string;
}

function sameSet(a: readonly Measurement[], b: readonly Measurement[]): boolean {
  return (
    a.length === b.length &&
    a.every((one) => b.some((other) => other.n === one.n && other.d === one.d))
  );
}

const unsuitable = (why: string): never => {
  throw new Refusal("approval_unsuitable", why);
};

/**
 * The proxy's own check before its anchor speaks (DESIGN 4): digest, every owner's signature, this installation, this
 * host, what it measured last, and the grant's times. The server's word is not enough.
 * @throws Refusal `approval_unsuitable`, and as `verifyApproval` and `verifyParties`
 */
export async function checkApproval(
  w: ProxyWorld,
  standing: StandingApproval,
  of: ApprovalScope,
): Promise<CheckedApproval> {
  const preSigned = standing.model === "agent";
  const statement = readStatement(w.c, standing.approval.st, { preSigned });
  if (statement.cs !== standing.cs) return unsuitable("digest");
  const { sig, key } = standing.approval;
  const { pages } = w.server();
  const options = pages === undefined ? {} : { pages };
  const approval = await verifyApproval(w.c, statement, sig, key, options);
  const all = await verifyParties(w.c, approval, standing.approval.sts ?? [], options);
  const { body } = approval.statement;
  const now = w.clock();
  if (body.aud !== of.issuer || body.td !== of.trustDomain) return unsuitable("another server");
  if (body.agent.jkt !== of.anchor || body.agent.id !== agentId(of.entry.id, of.anchor))
    return unsuitable("another installation");
  if (body.agent.host !== undefined && body.agent.host !== w.identity().id)
    return unsuitable("another host");
  // who attests does not approve: with one key for both, owner and proxy would be one
  if ([of.anchor, thumbprint(w.c, w.identity().signer.key)].includes(body.owner.jkt))
    return unsuitable("signed by a key of this proxy");
  if (!sameSet(body.agent.meas, of.measurements)) return unsuitable("another program");
  if (now >= body.grant.exp || now + 60 < body.grant.nbf) return unsuitable("over, or not begun");
  if (!isByOwnersOf(of.entry, body)) return unsuitable("another owner");
  return {
    cs: statement.cs,
    ownerKeys: all.map((one) => thumbprint(w.c, one.key.jwk)),
    until: body.grant.exp,
    ceiling: body.grant.ceiling,
    isSingle: body.grant.use === "single",
    standing,
  };
}

/** Whether an approval says that it is for this very program of this agent; nothing of it is checked yet. */
export function isFor(
  w: ProxyWorld,
  { agent, model, approval }: StandingApproval,
  of: { readonly agent: string; readonly program: string },
): boolean {
  if (agent !== of.agent) return false;
  try {
    const { body } = readStatement(w.c, approval.st, { preSigned: model === "agent" });
    return body.kind === "credential" && canonicalJson([...body.agent.meas]) === of.program;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/**
 * The approval to endorse with: the newest good one for this program that the state holds, newest first. A new owner
 * key is said loudly; an approval that is replaced or gone is never endorsed again.
 */
export async function chooseApproval(
  w: ProxyWorld,
  of: ApprovalScope,
): Promise<CheckedApproval | undefined> {
  const agent = agentId(of.entry.id, of.anchor);
  const offered = (w.server().state?.approvals ?? []).filter((item) => item.agent === agent);
  const memory = await w.anchors.memory(of.entry.id);
  for (const standing of offered) {
    if (memory.ended.includes(standing.cs)) continue;
    const checked = await ifSuitable(w, standing, of);
    // an approval that cannot be remembered is no reason to ask the owner for another: that refusal is the caller's
    if (checked !== undefined && (await remember(w, of.entry.id, checked))) return checked;
  }
  return undefined;
}

async function ifSuitable(
  w: ProxyWorld,
  standing: StandingApproval,
  of: ApprovalScope,
): Promise<CheckedApproval | undefined> {
  try {
    return await checkApproval(w, standing, of);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { agent, cs } = standing;
    w.log.debug("approval.unsuitable", { agent, cs, why: error.message });
    return undefined;
  }
}

/** @returns false when the approval was ended meanwhile */
async function remember(w: ProxyWorld, entry: string, checked: CheckedApproval): Promise<boolean> {
  let isStanding = true;
  await w.anchors.update(entry, (memory) => {
    isStanding = !memory.ended.includes(checked.cs);
    if (!isStanding) return undefined;
    const unknown = checked.ownerKeys.filter((jkt) => !memory.ownerKeys.includes(jkt));
    for (const jkt of unknown)
      w.log.warn("owner.key_first_seen", { entry, jkt, known: memory.ownerKeys.length });
    if (unknown.length === 0 && memory.approval?.cs === checked.cs) return undefined;
    return {
      approval: { cs: checked.cs, part: checked.standing.approval },
      ownerKeys: [...memory.ownerKeys, ...unknown],
      ended: memory.ended,
    };
  });
  return isStanding;
}

/**
 * Marks approvals that the state no longer holds as ended for good: the anchor never speaks for them again.
 * @param endorsed statements that credentials are held under
 */
export async function endMissing(
  w: ProxyWorld,
  entry: string,
  standing: ReadonlySet<Digest>,
  endorsed: readonly Digest[],
): Promise<void> {
  await w.anchors.update(entry, (memory) => {
    const { approval, ...rest } = memory;
    const known = new Set(approval === undefined ? endorsed : [...endorsed, approval.cs]);
    const ended = [...known].filter((cs) => !standing.has(cs) && !memory.ended.includes(cs));
    if (ended.length === 0) return undefined;
    const isKept = approval !== undefined && standing.has(approval.cs);
    return {
      ...rest,
      ...(isKept ? { approval } : {}),
      ended: [...rest.ended, ...ended],
    };
  });
}
