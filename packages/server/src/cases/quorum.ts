import {
  base64url,
  checkAnswer,
  decideParty,
  draftStatement,
  forParty,
  isCredentialStatement,
  isSameConsent,
  isStanding,
  ownersOf,
  partySignatureOf,
  quorumOf,
  readOwnerSignature,
  readStatement,
  Refusal,
  STATEMENT_LIFE_ELSEWHERE_SECONDS,
  statementId,
  writeStatement,
} from "@countersign/core";
import type {
  Approval,
  CredentialStatement,
  Entry,
  Grant,
  PartyRuling,
  PartySignature,
  Quorum,
  Seconds,
  Statement,
} from "@countersign/core";
import type { DigitsRow } from "../store/digits-row.ts";
import type { AskRow, CeremonyRow, OwnerKeyRow, SignatureRow } from "../store/rows.ts";
import type { Change, Decision } from "../store/store.ts";
import type { World } from "../world.ts";
import { askOf, enrolledOf, findAsk } from "./asked.ts";
import { signingKeyOf } from "./attested.ts";
import { checkRoom } from "./bundle.ts";
import { tellSigned } from "./habits.ts";
import { grantRowOf } from "./grant-row.ts";
import { bundleKeyOf, chainOf } from "./owner-chain.ts";
import { moveCounters } from "./owner-counter.ts";
import { logRow } from "./record.ts";

const MAX_TRIES = 3;
const NONCE_BYTES = 16;

/** Whether an owner is one of those whom the registration names, as it is now. */
export function mayAnswer(row: AskRow, entry: Entry | undefined, owner: string): boolean {
  return (entry?.parties?.owners ?? [row.owner]).includes(owner);
}

/** Who must sign for an entry, by the keys as they are enrolled now. @throws Refusal as `quorumOf` */
export async function quorumFor(w: World, entry: Entry): Promise<Quorum | undefined> {
  const owners = entry.parties?.owners ?? [];
  const keys = await Promise.all(owners.map((owner) => w.store.ownerKeys(owner)));
  return quorumOf(entry, keys.flat().map(enrolledOf));
}

/** A statement that was read when it was kept. */
function consentOf(w: World, octets: Uint8Array): Statement<CredentialStatement> {
  const statement = readStatement(w.c, octets);
  if (!isCredentialStatement(statement)) throw new TypeError("kept of another kind");
  return statement;
}

const expected = (
  row: AskRow,
  ceremony: CeremonyRow | undefined,
): NonNullable<Decision["expect"]> => ({
  ask: { req: row.req, state: "asked" },
  ceremony: { req: row.req, ...(ceremony === undefined ? {} : { nonce: ceremony.nonce }) },
});

/**
 * One of several owners opens a request: he gets what the first of them got, with his own name and number in it. Once
 * that is over, or owners, keys or terms are others, it is made anew and what was signed of it is void.
 * @param digits those of the question, which this owner has typed unless his key is a machine's
 * @throws Refusal `already_signed`; `key_not_enrolled`, `approval_unsuitable` as `quorumOf`; `stale`
 */
export async function openForParty(
  w: World,
  row: AskRow,
  entry: Entry,
  key: OwnerKeyRow,
  digits: DigitsRow | undefined,
): Promise<Statement> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const now = w.clock();
    const quorum = await quorumFor(w, entry);
    if (quorum === undefined) throw new TypeError("the entry takes one owner");
    const ceremony = await w.store.ceremony(row.req);
    const first = ceremony === undefined ? undefined : consentOf(w, ceremony.statement).body;
    const isOpen = first !== undefined && isStanding(first, entry, quorum, now);
    if (isOpen && (await hasSigned(w, row, key.owner))) throw new Refusal("already_signed");
    const jti = statementId(now, w.random);
    const body = isOpen
      ? forParty(first, key, jti)
      : draftFor(w, { row, entry, key, quorum, digits, jti, now });
    const statement = writeStatement(w.c, body);
    const { nonce, exp } = body;
    const { bytes } = statement;
    const begun: readonly Change[] = isOpen
      ? []
      : [{ put: "ceremony", row: { req: row.req, nonce, statement: bytes, exp } }];
    const prepared = { jti, req: row.req, ownerJkt: key.jkt, bytes, exp };
    const committed = await w.store.commit({
      changes: [
        ...begun,
        { put: "statement", row: prepared },
        { note: "opened", req: row.req, owner: key.owner, at: now },
      ],
      expect: expected(row, ceremony),
    });
    if (committed !== "conflict" && committed !== "used") return statement;
    if ((await findAsk(w, row.req)).state !== "asked") throw new Refusal("already_decided");
  }
  throw new Refusal("stale");
}

async function hasSigned(w: World, { req }: AskRow, owner: string): Promise<boolean> {
  return (await w.store.signatures({ req })).some((signature) => signature.owner === owner);
}

function draftFor(
  w: World,
  of: {
    readonly row: AskRow;
    readonly entry: Entry;
    readonly key: OwnerKeyRow;
    readonly quorum: Quorum;
    readonly digits: DigitsRow | undefined;
    readonly jti: string;
    readonly now: Seconds;
  },
): CredentialStatement {
  const parts = {
    issuer: w.config.issuer,
    trustDomain: w.config.trustDomain,
    jti: of.jti,
    nonce: base64url(w.random(NONCE_BYTES)),
    decision: "approve",
    // the others sign after the first: minutes would not do
    lifeSeconds: STATEMENT_LIFE_ELSEWHERE_SECONDS,
    quorum: of.quorum,
    digits: of.digits?.digits,
  } as const;
  return draftStatement(askOf(of.row), of.entry, enrolledOf(of.key), parts, of.now);
}

/** A verified signature of one of several owners, as it was posted. */
export interface PartyAnswer {
  readonly req: AskRow["req"];
  readonly approval: Approval;
}

/** What a signature came to: the grant; or one more, with who may still make it enough. */
export type Answered =
  | { readonly state: "approved"; readonly cs: string; readonly agent: string }
  | {
      readonly state: "signed";
      readonly agent: string;
      readonly signed: number;
      readonly needed: number;
      readonly missing: readonly { readonly id: string; readonly name: string }[];
    };

/** What is decided from, read at one epoch, and the ruling. */
interface Ruled {
  readonly row: AskRow;
  readonly keyRow: OwnerKeyRow;
  readonly entry: Entry;
  readonly epoch: number;
  readonly ceremony: CeremonyRow;
  readonly kept: readonly SignatureRow[];
  readonly last: PartySignature;
  readonly ruling: PartyRuling;
  readonly now: Seconds;
}

/**
 * A valid signature of one of several owners: kept under a log row of its own while too few have signed; the m-th makes
 * the grant, in the commit that keeps it.
 * @throws Refusal as `checkAnswer` and `decideParty`; `replayed` for a statement used before; `stale`
 */
export async function signAsParty(w: World, of: PartyAnswer): Promise<Answered> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const ruled = await rule(w, of);
    const decision = await decisionOf(w, of, ruled);
    const committed = typeof decision === "string" ? decision : await w.store.commit(decision);
    if (committed === "used") throw new Refusal("replayed", "the statement was used");
    if (committed === "conflict") continue;
    tellSigned(w, ruled.row, ruled.keyRow, ruled.now);
    return answerOf(w, ruled);
  }
  throw new Refusal("stale");
}

function partyOf(w: World, row: SignatureRow): PartySignature {
  const { cs, owner, ownerKind, basis, assurance, statement, key } = row;
  const { body } = consentOf(w, statement);
  return { cs, statement: body, owner, jwk: key.jwk, ownerKind, basis, assurance };
}

async function rule(w: World, { req, approval }: PartyAnswer): Promise<Ruled> {
  const { statement } = approval;
  const now = w.clock();
  const row = await findAsk(w, req);
  const kept = await w.store.signatures({ req });
  const { proxy, agent } = row;
  const cs = kept[0]?.cs ?? statement.cs; // a grant may be halted before it is made
  const known = await w.store.known({ proxy, agent, entry: row.entry, cs, now });
  const entry = known.entry?.body;
  const keyRow = await w.store.ownerKey(statement.body.owner.jkt);
  const key = checkAnswer(
    askOf(row),
    approval,
    {
      entry,
      key: keyRow === undefined ? undefined : await signingKeyOf(w, keyRow),
      quorum: entry === undefined ? undefined : await quorumFor(w, entry),
      stops: known.stops,
      digits: (await w.store.digits(req))?.digits,
      issuer: w.config.issuer,
    },
    now,
  );
  const ceremony = await w.store.ceremony(req);
  const { parties } = statement.body.grant;
  if (entry === undefined || keyRow === undefined || parties === undefined)
    throw new Refusal("approval_unsuitable", "the registration changed");
  if (ceremony === undefined || !isSameConsent(consentOf(w, ceremony.statement), statement))
    throw new Refusal("stale", "the others are shown something else: open the request again");
  const last = partySignatureOf(approval, key);
  const ruling = decideParty(
    kept.map((one) => partyOf(w, one)),
    last,
    parties,
  );
  return { row, keyRow, entry, epoch: known.epoch, ceremony, kept, last, ruling, now };
}

async function signatureOf(w: World, of: PartyAnswer, ruled: Ruled): Promise<SignatureRow> {
  const { keyRow, kept, last, now } = ruled;
  const { statement } = of.approval;
  const { owner, ownerKind, basis, assurance } = last;
  const chain = await chainOf(w, keyRow);
  return {
    jti: statement.body.jti,
    req: of.req,
    n: kept.length,
    owner,
    ownerJkt: keyRow.jkt,
    ownerKind,
    basis,
    assurance,
    cs: kept[0]?.cs ?? statement.cs,
    statement: statement.bytes,
    signature: { ...of.approval.signature },
    key: bundleKeyOf(keyRow),
    ...(chain === undefined ? {} : { chain }),
    at: now,
  };
}

/** What every row of the log says of one party's signature. */
function recordOf({ row, ruling, last }: Ruled, signature: SignatureRow): object {
  return {
    v: 1,
    agent: row.agent,
    entry: row.entry,
    owner: signature.owner,
    ...(row.parties === undefined ? {} : { parties: row.parties }),
    key: signature.ownerJkt,
    cs: signature.cs,
    req: row.req,
    jti: signature.jti,
    assurance: ruling.do === "grant" ? ruling.grant.assurance : last.assurance,
  };
}

/** @returns "used" and "conflict" as `moveCounters` says */
async function decisionOf(
  w: World,
  of: PartyAnswer,
  ruled: Ruled,
): Promise<Decision | "used" | "conflict"> {
  const { row, keyRow, kept, ruling, epoch, ceremony, now } = ruled;
  const signature = await signatureOf(w, of, ruled);
  const { jti, cs } = signature;
  const signing = { row: keyRow, facts: of.approval.facts };
  const moved = await moveCounters(w, [signing], { jti, cs });
  if (typeof moved === "string") return moved;
  const guarded = {
    once: [{ kind: "jti", value: jti, until: Number.MAX_SAFE_INTEGER }],
    expect: { ...expected(row, ceremony), epoch, ownerKeys: moved.ownerKeys },
    issues: true,
  } as const;
  const put: readonly Change[] = [{ put: "signature", row: signature }, ...moved.changes];
  const record = recordOf(ruled, signature);
  if (ruling.do === "keep")
    return {
      log: logRow(w, {
        type: "approval.signed",
        t: now,
        actor: "owner",
        record: { ...record, signed: ruling.signed, needed: ruling.needed },
      }),
      changes: put,
      ...guarded,
    };
  const all = [...kept, signature];
  const signers = all.map(({ owner, ownerJkt }) => ({ owner, key: ownerJkt }));
  return {
    log: logRow(w, {
      type: "approval.approved",
      t: now,
      actor: "owner",
      record: { ...record, until: ruling.grant.statement.grant.exp, signers },
    }),
    changes: [
      ...put,
      await grantChange(w, ruled, ruling.grant, all),
      {
        set: "ask",
        req: row.req,
        fields: { state: "approved", decidedAt: now, cs: ruling.grant.cs },
      },
    ],
    ...guarded,
  };
}

/** The grant speaks for who signed first. @throws Refusal `too_large` for what no bundle could carry */
async function grantChange(
  w: World,
  { row, entry }: Ruled,
  grant: Grant,
  all: readonly SignatureRow[],
): Promise<Change> {
  await checkRoom(w, all, entry.x509Evidence === "approval");
  const [first] = all;
  if (first === undefined) throw new TypeError("nobody signed");
  const { parties } = grant.statement.grant;
  const sig = readOwnerSignature(first.signature);
  const statement = consentOf(w, first.statement);
  const made = grantRowOf(row, grant, statement, sig, first.key, first.chain);
  return {
    put: "grant",
    row: { ...made, parties: parties === undefined ? [] : ownersOf(parties) },
  };
}

async function answerOf(w: World, { row, ruling }: Ruled): Promise<Answered> {
  const { agent } = row;
  if (ruling.do === "grant") return { state: "approved", cs: ruling.grant.cs, agent };
  const names = new Map((await w.store.owners()).map(({ id, name }) => [id, name]));
  const missing = ruling.missing.map((id) => ({ id, name: names.get(id) ?? id }));
  return { state: "signed", agent, signed: ruling.signed, needed: ruling.needed, missing };
}
