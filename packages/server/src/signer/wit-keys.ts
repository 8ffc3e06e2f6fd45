import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Refusal } from "@countersign/core";
import type { Seconds } from "@countersign/core";
import { loadOrCreateSigner } from "@countersign/node";
import type { WitSigner } from "../world.ts";
import { readKeyList, readSigner, writeKeyList } from "./key-file.ts";
import type { ListedKey } from "./key-file.ts";

const WIT_LIFE_SECONDS: Seconds = 30 * 86_400;
const EARLIER_SECONDS = 300;
const MAX_WIT_KEYS = 16;
const NAME = /^wit-[0-9]{1,6}$/;
/** How long a key that the next one has replaced may still have signed, for clocks that differ. */
const RETIRING_SECONDS: Seconds = 600;
/** What a key signed is alive at most so long; the trust bundle holds the key until then. */
export const KEPT_AFTER_SECONDS: Seconds = 86_400;

const listPath = (keys: string): string => join(keys, "wit.json");
const numberOf = (name: string): number => Number(name.slice("wit-".length));

/** The first key of a new server. */
export async function createWit(keys: string, now: Seconds): Promise<void> {
  await loadOrCreateSigner(keys, "wit-1", "P-256");
  await writeKeyList(listPath(keys), [
    { name: "wit-1", nbf: now - EARLIER_SECONDS, exp: now + WIT_LIFE_SECONDS, isAnnounced: true },
  ]);
}

/** @throws Refusal `signer_unsuitable`, `private_mode` */
export async function readWitList(keys: string): Promise<readonly ListedKey[]> {
  const list = await readKeyList(listPath(keys), NAME, MAX_WIT_KEYS);
  if (list === undefined) throw new Refusal("signer_unsuitable", "wit.json is missing");
  return list;
}

/** @throws Refusal `signer_unsuitable`, `private_mode` */
export async function loadWit(keys: string): Promise<readonly WitSigner[]> {
  const list = await readWitList(keys);
  const signers = list.map(async ({ name, nbf, exp }) => ({
    signer: await readSigner(keys, name),
    nbf,
    exp,
  }));
  return (await Promise.all(signers)).toSorted((a, b) => a.nbf - b.nbf);
}

/**
 * Prepares the next key, which signs from `from` on: the key itself first, then, in one step, the list that names it
 * and ends those before it.
 * @throws Refusal `rate_limited` while one is prepared already
 */
export async function prepareWit(keys: string, from: Seconds, now: Seconds): Promise<void> {
  const list = await readWitList(keys);
  const prepared = list.find(({ nbf }) => nbf > now);
  if (prepared !== undefined || list.length >= MAX_WIT_KEYS)
    throw new Refusal(
      "rate_limited",
      prepared === undefined ? "too many token keys" : "a token key is prepared already",
      prepared === undefined
        ? "Wait until the oldest one is gone."
        : `A token key is prepared already and signs from ${new Date(prepared.nbf * 1000).toISOString()} on: rotate again after that.`,
    );
  const name = `wit-${Math.max(...list.map((key) => numberOf(key.name))) + 1}`;
  await loadOrCreateSigner(keys, name, "P-256");
  await writeKeyList(listPath(keys), [
    ...list.map((key) => ({ ...key, exp: Math.min(key.exp, from + RETIRING_SECONDS) })),
    { name, nbf: from, exp: from + WIT_LIFE_SECONDS, isAnnounced: false },
  ]);
}

/** Says that log and bundle know all of them. */
export async function noteWitAnnounced(keys: string): Promise<void> {
  const list = await readWitList(keys);
  await writeKeyList(
    listPath(keys),
    list.map((key) => ({ ...key, isAnnounced: true })),
  );
}

/** Removes keys of which nothing is alive: from the list first, so that no listed key is ever missing. */
export async function forgetWit(keys: string, now: Seconds): Promise<boolean> {
  const list = await readWitList(keys);
  const gone = list.filter(({ exp }) => exp + KEPT_AFTER_SECONDS < now).slice(0, list.length - 1);
  if (gone.length === 0) return false;
  await writeKeyList(
    listPath(keys),
    list.filter((key) => !gone.includes(key)),
  );
  for (const { name } of gone) await rm(join(keys, `${name}.pem`), { force: true });
  return true;
}
