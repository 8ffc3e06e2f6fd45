import {
  base64url,
  checkEligibility,
  counterStep,
  fromBase64url,
  isKeyStatement,
  jwkOfSpki,
  readOwnerSignature,
  readStatement,
  Refusal,
  STATEMENT_LIFE_ELSEWHERE_SECONDS,
  statementId,
  verifyKeyStatement,
  writeStatement,
  spkiOf,
  thumbprint,
} from "@countersign/core";
import type {
  Digest,
  JsonObject,
  Jwk,
  KeySignature,
  KeyStatement,
  OwnerKind,
  Seconds,
  SignatureFacts,
  Statement,
} from "@countersign/core";
import type { AuthenticatorRecord, OwnerKeyRow, OwnerRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import type { Change, Committed, Once } from "../store/store.ts";
import { checkCertificate } from "./owner-certificate.ts";
import { coSignersOf, coSignerThumbprints, keptSignature } from "./owner-chain.ts";
import type { CoSignature, CoSigner } from "./owner-chain.ts";
import { moveCounters } from "./owner-counter.ts";
import type { MovedCounters, SigningKey } from "./owner-counter.ts";
import { logRow, newSalt } from "./record.ts";

const OPAQUE_BYTES = 9;
const NONCE_BYTES = 16;
const MAX_TRIES = 3;
const NAME = /^[a-z0-9][a-z0-9._@-]{0,62}$/;

/** Finds an owner by id or by the display name given at enrolment. @throws Refusal `not_found` */
export async function findOwner(w: World, nameOrId: string): Promise<OwnerRow> {
  const owners = await w.store.owners();
  const found = owners.filter((owner) => owner.id === nameOrId || owner.name === nameOrId);
  const [one] = found;
  if (one === undefined || found.length > 1)
    throw new Refusal("not_found", "no such owner", "List them: countersign owner list.");
  return one;
}

/** Makes the owner if the name is free, else returns the one that has it. The id is random: it says nothing about a person. */
export async function ownerNamed(w: World, name: string, kind: OwnerKind): Promise<OwnerRow> {
  if (!NAME.test(name))
    throw new Refusal("malformed_request", "a name is lower-case letters, digits and . _ @ -");
  const known = (await w.store.owners()).find((owner) => owner.name === name);
  if (known !== undefined && known.kind !== kind)
    throw new Refusal("name_taken", "an owner of another kind has this name");
  return (
    known ?? {
      id: `urn:agent-owner:${w.config.trustDomain}:${base64url(w.random(OPAQUE_BYTES))}`,
      name,
      kind,
      createdAt: w.clock(),
    }
  );
}

export interface KeyOffer {
  readonly name: string;
  readonly kind: OwnerKind;
  readonly jwk: Jwk;
  readonly app?: string;
}

/** What a WebAuthn ceremony said of the key, and its challenge. */
export interface Registered {
  readonly authenticator: AuthenticatorRecord;
  readonly once: Once;
}

/**
 * Makes the key statement that the new key has to sign: proof of possession and the owner's word in one.
 * @param registered the ceremony of a passkey, and of no other key
 * @throws Refusal `key_reused`, `key_unsupported`, `name_taken`; `replayed` for a challenge that was used
 */
export async function offerKey(
  w: World,
  offer: KeyOffer,
  registered?: Registered,
): Promise<{ readonly owner: OwnerRow; readonly statement: Statement<KeyStatement> }> {
  const now = w.clock();
  const jkt = thumbprint(w.c, offer.jwk);
  if (offer.app === w.config.consent.rpId && registered === undefined)
    throw new Refusal(
      "key_unsupported",
      "a passkey that was not registered",
      "Enrol a passkey in a browser, at the consent page: it registers the passkey first.",
    );
  if ((await w.store.keyOwner(jkt)) !== undefined)
    throw new Refusal("key_reused", "the key is known already");
  const owner = await ownerNamed(w, offer.name, offer.kind);
  const statement = writeStatement(w.c, {
    typ: "agent-consent/1",
    kind: "key",
    decision: "approve",
    jti: statementId(now, w.random),
    aud: w.config.issuer,
    td: w.config.trustDomain,
    iat: now,
    exp: now + STATEMENT_LIFE_ELSEWHERE_SECONDS,
    nonce: base64url(w.random(NONCE_BYTES)),
    owner: { id: owner.id, jkt },
    key: {
      op: "add",
      jkt,
      kind: offer.kind,
      spki: base64url(spkiOf(offer.jwk)),
      ...(offer.app === undefined ? {} : { app: offer.app }),
    },
  } satisfies KeyStatement);
  // Owner and statement are kept until the signature comes; an owner without a key can do nothing.
  const committed = await w.store.commit({
    changes: [
      { put: "owner", row: owner },
      {
        put: "statement",
        row: {
          jti: statement.body.jti,
          req: statement.cs,
          ownerJkt: jkt,
          bytes: statement.bytes,
          exp: statement.body.exp,
          ...(registered === undefined ? {} : { authenticator: registered.authenticator }),
        },
      },
    ],
    ...(registered === undefined ? {} : { once: [registered.once] }),
  });
  if (committed === "used") throw new Refusal("replayed", "the registration was used");
  return { owner, statement };
}

function keyRowOf(
  { body, bytes }: Statement<KeyStatement>,
  jwk: Jwk,
  sigs: readonly KeySignature[],
  { counter, authenticator, x5c }: Pick<OwnerKeyRow, "counter" | "authenticator" | "x5c">,
  comment: string,
  now: Seconds,
): OwnerKeyRow {
  return {
    jkt: body.key.jkt,
    owner: body.owner.id,
    jwk,
    kind: body.key.kind,
    comment: comment.slice(0, 100),
    ...(body.key.app === undefined ? {} : { app: body.key.app }),
    spki: body.key.spki,
    basis: x5c === undefined ? "admin" : "x509",
    ...(x5c === undefined ? {} : { x5c }),
    statement: bytes,
    sigs: sigs.map(keptSignature),
    ...(counter === undefined ? {} : { counter }),
    ...(authenticator === undefined ? {} : { authenticator }),
    addedAt: now,
  };
}

/** What the log's record says of the authenticator: no key, and nothing as long as its attestation. */
function madeBy(made: AuthenticatorRecord): object {
  const { fmt, aaguid, backupEligible, backedUp } = made;
  return { fmt, aaguid, backup_eligible: backupEligible, backed_up: backedUp };
}

function addedRow(w: World, row: OwnerKeyRow, cs: Digest): ReturnType<typeof logRow> {
  return logRow(w, {
    type: "key.added",
    t: row.addedAt,
    actor: "admin",
    record: {
      v: 1,
      owner: row.owner,
      key: row.jkt,
      kind: row.kind,
      basis: row.basis,
      cs,
      co_signers: coSignerThumbprints(w, row),
      ...(row.authenticator === undefined ? {} : { authenticator: madeBy(row.authenticator) }),
    },
    forms: [{ name: "key", salt: newSalt(w), payload: fromBase64url(cs.slice("sha-256:".length)) }],
  });
}

/** A key statement with its signatures, as posted. */
export interface PostedKey {
  readonly statement: string;
  readonly sig: JsonObject;
  readonly comment: string;
  /** DER in base64, leaf first: the owner's certificate for the new key. */
  readonly x5c?: readonly string[];
  readonly coSignatures: readonly CoSignature[];
}

/** What the commit of a verified key does besides. It may refuse the key. */
export type AlongWith = (key: OwnerKeyRow) => {
  readonly changes: readonly Change[];
  readonly once: readonly Once[];
};

/**
 * Enrols a key by its signed statement, on the word of whoever holds the admin socket (`eb: admin`), or of a CA that is
 * configured for owners (`eb: x509`). Keys that the owner has already may co-sign, and under the first one keys of other
 * persons: then relying parties that accept one of them, and for a person that he enrols others, accept this one
 * (formats.md 4).
 * @throws Refusal `statement_invalid`, `approval_expired`, `signature_invalid`, `key_not_enrolled`, `key_suspended`,
 * `replayed`, `counter_regressed`; `stale` when a co-signer was removed meanwhile; as `checkCertificate`
 */
export async function addKey(
  w: World,
  posted: PostedKey,
  alongWith: AlongWith = () => ({ changes: [], once: [] }),
): Promise<OwnerKeyRow> {
  for (let attempt = 1; ; attempt += 1) {
    const added = await tryAdd(w, posted, alongWith);
    if (added !== "moved") return added;
    if (attempt === MAX_TRIES) throw new Refusal("stale");
  }
}

/** The statement as it was made here, for the key that it names, and what was registered with that key. */
async function preparedFor(
  w: World,
  posted: PostedKey,
  now: Seconds,
): Promise<{
  readonly statement: Statement<KeyStatement>;
  readonly authenticator: AuthenticatorRecord | undefined;
}> {
  const statement = readStatement(w.c, fromBase64url(posted.statement));
  if (!isKeyStatement(statement)) throw new Refusal("statement_invalid", "not a key statement");
  const prepared = await w.store.statement(statement.body.jti);
  if (prepared === undefined || prepared.req !== statement.cs)
    throw new Refusal("statement_invalid", "not a statement made here");
  if (now >= statement.body.exp) throw new Refusal("approval_expired", "the statement has expired");
  return { statement, authenticator: prepared.authenticator };
}

/** A passkey goes on as it was registered: same BE, a counter that is not behind. */
function checkRegistered(registered: AuthenticatorRecord | undefined, facts: SignatureFacts): void {
  checkEligibility(registered?.backupEligible, facts);
  if (counterStep(registered?.counter, facts.counter) === "regressed")
    throw new Refusal(
      "counter_regressed",
      "behind the counter of its registration",
      "Register the passkey again, and see that no other program answers for the authenticator.",
    );
}

/** A key statement whose signatures were verified, with what its commit needs. */
export interface VerifiedKey {
  readonly statement: Statement<KeyStatement>;
  readonly row: OwnerKeyRow;
  /** The co-signers, whose counters move with it. */
  readonly signing: readonly SigningKey[];
}

/**
 * Verifies a posted key statement: the new key's signature, and those of whoever may vouch for it.
 * @param findCoSigners the keys that may, of an owner's id
 * @throws Refusal `statement_invalid`, `approval_expired`, `signature_invalid`, and as `findCoSigners` and
 * `checkCertificate`
 */
export async function verifiedKey(
  w: World,
  posted: PostedKey,
  findCoSigners: (owner: string) => Promise<readonly CoSigner[]>,
  now: Seconds,
): Promise<VerifiedKey> {
  const { statement, authenticator } = await preparedFor(w, posted, now);
  const { body } = statement;
  const key = {
    jwk: jwkOfSpki(fromBase64url(body.key.spki)),
    ...(body.key.app === undefined ? {} : { app: body.key.app }),
  };
  const coSigners = await findCoSigners(body.owner.id);
  const sigs = [{ signature: readOwnerSignature(posted.sig), key }, ...coSigners];
  const enrolment = await verifyKeyStatement(w.c, statement, sigs, { pages: w.config.consent });
  const { x5c } = posted;
  const certified = x5c === undefined ? {} : { x5c };
  await checkCertificate(w, { ...key, ...certified, owner: body.owner.id }, body.iat);
  const { facts: own } = enrolment.added;
  checkRegistered(authenticator, own);
  const made = {
    ...(own.counter === undefined ? {} : { counter: own.counter }),
    ...(authenticator === undefined ? {} : { authenticator }),
    ...certified,
  };
  const row = keyRowOf(statement, key.jwk, sigs, made, posted.comment, now);
  const signing = enrolment.coSigners.flatMap(({ jkt, facts }) =>
    coSigners.flatMap((one) => (one.row.jkt === jkt ? [{ row: one.row, facts }] : [])),
  );
  return { statement, row, signing };
}

/**
 * Whose word a key is enrolled on. In development the first key of an owner is trusted because it came first; nobody has
 * looked at it.
 */
async function basisOf(w: World, { row, signing }: VerifiedKey): Promise<string> {
  if (row.x5c !== undefined) return row.basis;
  const isFirst = signing.length === 0 && (await w.store.ownerKeys(row.owner)).length === 0;
  return isFirst && w.config.isDevelopment ? "tofu" : "admin";
}

async function tryAdd(
  w: World,
  posted: PostedKey,
  alongWith: AlongWith,
): Promise<OwnerKeyRow | "moved"> {
  const epoch = await w.store.epoch();
  const find = (owner: string): Promise<readonly CoSigner[]> =>
    coSignersOf(w, owner, posted.coSignatures);
  const verified = await verifiedKey(w, posted, find, w.clock());
  const { statement, signing } = verified;
  const row = { ...verified.row, basis: await basisOf(w, verified) };
  const spent = { jti: statement.body.jti, cs: statement.cs };
  const moved = await moveCounters(w, signing, spent);
  const committed =
    typeof moved === "string"
      ? moved
      : await commitKey(w, row, { ...spent, ...alongWith(row) }, moved, epoch);
  if (committed === "used") throw new Refusal("replayed", "the statement or key was used");
  if (committed === "conflict") return afterConflict(w, row, signing);
  return row;
}

function commitKey(
  w: World,
  row: OwnerKeyRow,
  also: { readonly jti: string; readonly cs: Digest } & ReturnType<AlongWith>,
  { changes, ownerKeys }: MovedCounters,
  epoch: number,
): Promise<Committed | "used" | "conflict"> {
  const { jti, cs } = also;
  return w.store.commit({
    log: addedRow(w, row, cs),
    changes: [
      { put: "ownerKey", row },
      ...changes,
      ...also.changes,
      // a code that is out still makes a first key, and this owner has one now
      { drop: "invitations", owner: row.owner },
    ],
    once: [
      { kind: "jti", value: jti, until: Number.MAX_SAFE_INTEGER },
      { kind: "key", value: row.jkt, until: Number.MAX_SAFE_INTEGER },
      ...also.once,
    ],
    issues: true,
    // a co-signer may be removed at this moment
    ...(ownerKeys.length === 0 ? {} : { expect: { epoch, ownerKeys } }),
  });
}

/** @returns "moved" where a co-signer signed something else meanwhile @throws Refusal `replayed`, `stale` */
async function afterConflict(
  w: World,
  { jkt }: OwnerKeyRow,
  coSigners: readonly SigningKey[],
): Promise<"moved"> {
  if ((await w.store.keyOwner(jkt)) !== undefined) throw new Refusal("replayed");
  for (const { row } of coSigners)
    if ((await w.store.ownerKey(row.jkt))?.counter !== row.counter) return "moved";
  throw new Refusal("stale");
}
