import {
  base64url,
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
  Statement,
} from "@countersign/core";
import type { OwnerKeyRow, OwnerRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { coSignersOf, coSignerThumbprints, keptSignature } from "./owner-chain.ts";
import type { CoSignature } from "./owner-chain.ts";
import { logRow, newSalt } from "./record.ts";

const OPAQUE_BYTES = 9;
const NONCE_BYTES = 16;
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
async function ownerNamed(w: World, name: string, kind: OwnerKind): Promise<OwnerRow> {
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

/** Makes the key statement that the new key has to sign: proof of possession and the owner's word in one. */
export async function offerKey(
  w: World,
  offer: KeyOffer,
): Promise<{ readonly owner: OwnerRow; readonly statement: Statement<KeyStatement> }> {
  const now = w.clock();
  const jkt = thumbprint(w.c, offer.jwk);
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
  await w.store.commit({
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
        },
      },
    ],
  });
  return { owner, statement };
}

function keyRowOf(
  { body, bytes }: Statement<KeyStatement>,
  jwk: Jwk,
  sigs: readonly KeySignature[],
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
    basis: "admin",
    statement: bytes,
    sigs: sigs.map(keptSignature),
    addedAt: now,
  };
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
    },
    forms: [{ name: "key", salt: newSalt(w), payload: fromBase64url(cs.slice("sha-256:".length)) }],
  });
}

/**
 * Enrols a key by its signed statement, on the word of whoever holds the admin socket (`eb: admin`). Keys that the owner
 * has already may co-sign: then relying parties that accept one of them accept this one (formats.md 4).
 * @throws Refusal `statement_invalid`, `approval_expired`, `signature_invalid`, `key_not_enrolled`, `key_suspended`,
 * `replayed`; `stale` when a co-signer was removed meanwhile
 */
export async function addKey(
  w: World,
  posted: {
    readonly statement: string;
    readonly sig: JsonObject;
    readonly comment: string;
    readonly coSignatures: readonly CoSignature[];
  },
): Promise<OwnerKeyRow> {
  const epoch = await w.store.epoch();
  const now = w.clock();
  const statement = readStatement(w.c, fromBase64url(posted.statement));
  if (!isKeyStatement(statement)) throw new Refusal("statement_invalid", "not a key statement");
  const { body } = statement;
  const prepared = await w.store.statement(body.jti);
  if (prepared === undefined || prepared.req !== statement.cs)
    throw new Refusal("statement_invalid", "not a statement made here");
  if (now >= body.exp) throw new Refusal("approval_expired", "the statement has expired");
  const sig = readOwnerSignature(posted.sig);
  const key = {
    jwk: jwkOfSpki(fromBase64url(body.key.spki)),
    ...(body.key.app === undefined ? {} : { app: body.key.app }),
  };
  const coSigners = await coSignersOf(w, body.owner.id, posted.coSignatures);
  const sigs = [{ signature: sig, key }, ...coSigners];
  await verifyKeyStatement(w.c, statement, sigs);
  const row = keyRowOf(statement, key.jwk, sigs, posted.comment, now);
  const committed = await w.store.commit({
    log: addedRow(w, row, statement.cs),
    changes: [{ put: "ownerKey", row }],
    once: [
      { kind: "jti", value: body.jti, until: Number.MAX_SAFE_INTEGER },
      { kind: "key", value: row.jkt, until: Number.MAX_SAFE_INTEGER },
    ],
    issues: true,
    // a co-signer may be removed at this moment
    ...(coSigners.length === 0 ? {} : { expect: { epoch } }),
  });
  if (committed === "used") throw new Refusal("replayed", "the statement or key was used");
  if (committed === "conflict")
    throw new Refusal((await w.store.keyOwner(row.jkt)) === undefined ? "stale" : "replayed");
  return row;
}

/** Takes a key away: an admin act, logged, felt by every relying party with a current trust bundle. */
export async function removeKey(w: World, jkt: string, by: string): Promise<void> {
  const key = await w.store.ownerKey(jkt);
  if (key === undefined || key.removedAt !== undefined)
    throw new Refusal("not_found", "no such key");
  const now = w.clock();
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "key.removed",
      t: now,
      actor: "admin",
      record: { v: 1, owner: key.owner, key: jkt, by },
    }),
    changes: [
      { set: "ownerKey", jkt, fields: { removedAt: now } },
      { end: "grants", scope: "ownerKey", target: jkt, at: now, why: "key removed" },
      { bump: "bundleSequence" },
    ],
    bumpEpoch: true,
  });
  if (committed === "used" || committed === "conflict") throw new Refusal("stale");
}
