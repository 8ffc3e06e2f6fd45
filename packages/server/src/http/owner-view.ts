import { fromBase64, parseCertificate } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { coSignerThumbprints } from "../cases/owner-chain.ts";
import type { OwnerKeyRow, OwnerRow } from "../store/rows.ts";
import type { World } from "../world.ts";

export function ownerView({ id, name, kind, createdAt }: OwnerRow): JsonObject {
  return { id, name, kind, created_at: createdAt };
}

/** What holds a key, as far as it was told: only a passkey's registration says whether the key can be copied. */
export function heldBy({ app, authenticator }: Pick<OwnerKeyRow, "app" | "authenticator">): string {
  if (app === undefined) return "software";
  if (authenticator === undefined) return "security_key";
  return authenticator.backupEligible ? "synced_passkey" : "device_bound_passkey";
}

function authenticatorView(made: NonNullable<OwnerKeyRow["authenticator"]>): JsonObject {
  return {
    fmt: made.fmt,
    aaguid: made.aaguid,
    credential_id: made.credential,
    transports: made.transports,
    backup_eligible: made.backupEligible,
    backed_up: made.backedUp,
  };
}

/** When the owner's certificate for a key ends. */
function certifiedUntil({ x5c }: OwnerKeyRow): JsonObject {
  const [leaf] = x5c ?? [];
  if (leaf === undefined) return {};
  return { certified_until: parseCertificate(fromBase64(leaf)).notAfter };
}

export function keyView(w: World, key: OwnerKeyRow): JsonObject {
  const { authenticator, removedAt, suspendedAt } = key;
  return {
    jkt: key.jkt,
    comment: key.comment,
    basis: key.basis,
    ...certifiedUntil(key),
    co_signers: coSignerThumbprints(w, key),
    added_at: key.addedAt,
    software: key.app === undefined,
    held_by: heldBy(key),
    jwk: { ...key.jwk },
    ...(key.app === undefined ? {} : { app: key.app }),
    ...(authenticator === undefined ? {} : { authenticator: authenticatorView(authenticator) }),
    ...(removedAt === undefined ? {} : { removed_at: removedAt }),
    ...(suspendedAt === undefined ? {} : { suspended_at: suspendedAt }),
  };
}
