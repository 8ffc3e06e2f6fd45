import {
  fromBase64url,
  isObject,
  MAX_ATTESTATION_BYTES,
  MAX_CHAIN_STEPS,
  Members,
  readCertifiedKey,
  readOwnerSignature,
  Refusal,
  thumbprint,
} from "@countersign/core";
import type {
  CertifiedKey,
  EnrolmentStep,
  JsonObject,
  KeySignature,
  Seconds,
} from "@countersign/core";
import type { OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";

/** A co-signature as posted: which key vouches, and its signature over the statement of the new one. */
export interface CoSignature {
  readonly jkt: string;
  readonly sig: JsonObject;
}

/** The key as it stands in a bundle. */
export function bundleKeyOf({
  jwk,
  app,
  x5c,
}: Pick<OwnerKeyRow, "jwk" | "app" | "x5c">): CertifiedKey {
  return { jwk, ...(app === undefined ? {} : { app }), ...(x5c === undefined ? {} : { x5c }) };
}

/** A signature of a key statement as it is kept. */
export function keptSignature({ signature, key }: KeySignature): JsonObject {
  const { jwk, app, x5c } = key;
  const shown = { ...(app === undefined ? {} : { app }), ...(x5c === undefined ? {} : { x5c }) };
  return { ...signature, key: { jwk: { ...jwk }, ...shown } };
}

function readKept(kept: JsonObject): KeySignature {
  const { key, ...sig } = kept;
  const read = readCertifiedKey(new Members(key, "malformed_request", "key"));
  return { signature: readOwnerSignature(sig), key: read };
}

/** A co-signature, and its key as it was read. */
export interface CoSigner extends KeySignature {
  readonly row: OwnerKeyRow;
}

/** One posted co-signature with the key behind it, which signs still. @throws Refusal `key_not_enrolled`, `key_suspended` */
async function coSignerOf(
  w: World,
  { jkt, sig }: CoSignature,
  isMeant: (owner: string) => boolean,
): Promise<CoSigner> {
  const row = await w.store.ownerKey(jkt);
  if (row === undefined || row.removedAt !== undefined || !isMeant(row.owner))
    throw new Refusal("key_not_enrolled", "a co-signer is none of the keys that may vouch");
  if (row.suspendedAt !== undefined) throw new Refusal("key_suspended");
  return { signature: readOwnerSignature(sig), key: bundleKeyOf(row), row };
}

/**
 * The keys behind posted co-signatures: the owner's own; for the first key of an owner, those of other persons.
 * @throws Refusal `key_not_enrolled`, `key_suspended`
 */
export async function coSignersOf(
  w: World,
  owner: string,
  posted: readonly CoSignature[],
): Promise<readonly CoSigner[]> {
  if (posted.length === 0) return [];
  if ((await w.store.ownerKeys(owner)).length === 0) return othersOf(w, owner, posted);
  const found: CoSigner[] = [];
  for (const one of posted) found.push(await coSignerOf(w, one, (other) => other === owner));
  return found;
}

/**
 * The keys of other persons behind co-signatures.
 * @throws Refusal `key_not_enrolled` for a key of the owner itself, or of what is no person; `key_suspended`
 */
export async function othersOf(
  w: World,
  owner: string,
  posted: readonly CoSignature[],
): Promise<readonly CoSigner[]> {
  const persons = (await w.store.owners()).filter(({ kind }) => kind === "person");
  const isAnother = (other: string): boolean =>
    other !== owner && persons.some(({ id }) => id === other);
  const found: CoSigner[] = [];
  for (const one of posted) found.push(await coSignerOf(w, one, isAnother));
  return found;
}

/** Thumbprints of the keys that vouched for this one. Rows that nobody co-signed keep the one signature without its key. */
export function coSignerThumbprints(w: Pick<World, "c">, row: OwnerKeyRow): readonly string[] {
  return row.sigs.slice(1).map((kept) => thumbprint(w.c, readKept(kept).key.jwk));
}

/**
 * Thumbprints of the keys whose adding leads to this one, oldest first, at most three: by the first co-signer of each,
 * up to the key that another person vouched for.
 * Undefined where nobody co-signed it.
 */
export async function chainOf(w: World, row: OwnerKeyRow): Promise<readonly string[] | undefined> {
  const chain: string[] = [];
  for (let key: OwnerKeyRow | undefined = row; key !== undefined;) {
    const [coSigner] = coSignerThumbprints(w, key);
    if (coSigner === undefined || chain.length === MAX_CHAIN_STEPS) break;
    chain.unshift(key.jkt);
    const before: OwnerKeyRow | undefined = await w.store.ownerKey(coSigner);
    key = before?.owner === row.owner ? before : undefined;
  }
  return chain.length === 0 ? undefined : chain;
}

/** The proof of the log that the key was added; none where that log has ended. */
async function loggedOf(w: World, row: OwnerKeyRow): Promise<EnrolmentStep["logged"]> {
  if (row.seq === undefined || row.log !== w.store.logName().number) return undefined;
  const logged = await w.store.logRow(row.seq);
  const salt = logged?.salts["key"];
  if (logged === undefined || salt === undefined) return undefined;
  return { leaf: logged.leaf, salt: fromBase64url(salt), proof: await w.store.proofFor(row.seq) };
}

/** What the key's authenticator said of itself, where it is short enough to travel. */
export function attestationOf({ authenticator }: OwnerKeyRow): EnrolmentStep["att"] {
  if (authenticator === undefined || authenticator.fmt === "none") return undefined;
  const obj = fromBase64url(authenticator.obj);
  if (obj.length > MAX_ATTESTATION_BYTES) return undefined;
  return { fmt: authenticator.fmt, obj, cd: fromBase64url(authenticator.cd) };
}

/** One step of the bundle's `enr`. The proof goes with it where a co-signer was removed since: else it only costs room. */
async function stepOf(w: World, row: OwnerKeyRow): Promise<EnrolmentStep> {
  const sigs = row.sigs.filter(isObject).map(readKept);
  const removals = coSignerThumbprints(w, row).map(
    async (jkt): Promise<Seconds | undefined> => (await w.store.ownerKey(jkt))?.removedAt,
  );
  const isAnyRemoved = (await Promise.all(removals)).some((at) => at !== undefined);
  const logged = isAnyRemoved ? await loggedOf(w, row) : undefined;
  const att = attestationOf(row);
  return {
    st: row.statement,
    sigs,
    ...(att === undefined ? {} : { att }),
    ...(logged === undefined ? {} : { logged }),
  };
}

/** The bundle's `enr` for these keys. */
export async function enrolmentOf(
  w: World,
  chain: readonly string[],
): Promise<readonly EnrolmentStep[]> {
  const rows = await Promise.all(chain.map((jkt) => w.store.ownerKey(jkt)));
  return Promise.all(rows.filter((row) => row !== undefined).map((row) => stepOf(w, row)));
}
