import { judgeAttestation, readStatement } from "@countersign/core";
import type { EnrolledKey } from "@countersign/core";
import type { OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { enrolledOf } from "./asked.ts";
import { attestationOf, coSignerThumbprints } from "./owner-chain.ts";

/**
 * Whether assurance 4 may be claimed of this key: a maker whose root is configured here attests its hardware, and another
 * key of the owner co-signed its adding. What the server alone says of a key is not enough (owner.md 1.1).
 */
async function isAttested(w: World, row: OwnerKeyRow): Promise<boolean> {
  const { attestationRoots: roots, consent: pages } = w.config;
  const attestation = attestationOf(row);
  if (attestation === undefined || roots.length === 0) return false;
  if (coSignerThumbprints(w, row).length === 0) return false;
  const at = readStatement(w.c, row.statement).body.iat;
  const found = await judgeAttestation(w.c, attestation, { jkt: row.jkt, pages, roots, at });
  return found.isDeviceBound === true;
}

/** An owner's key as core sees it, with what this server finds of its hardware when it signs. */
export async function signingKeyOf(w: World, row: OwnerKeyRow): Promise<EnrolledKey> {
  const key = enrolledOf(row);
  return (await isAttested(w, row)) ? { ...key, isAttested: true } : key;
}
