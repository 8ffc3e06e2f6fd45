import { fromUtf8 } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { callJson, openTarget, readPrivateFile, writePrivateFile } from "@countersign/node";
import type { Target } from "@countersign/node";
import { apiOf, list, text } from "./sockets.ts";
import type { RunningServer } from "./daemons.ts";

/** A pin for every key of every owner that was not taken away; what holds the key (`app`) is part of the pin. */
export function pinsOf(owners: readonly JsonObject[]): readonly JsonObject[] {
  return owners.flatMap((owner) =>
    list(owner, "keys")
      .filter((key) => key["removed_at"] === undefined)
      .map((key) => ({
        owner: text(owner, "id"),
        jkt: text(key, "jkt"),
        kind: text(owner, "kind"),
        ...(key["app"] === undefined ? {} : { app: text(key, "app") }),
      })),
  );
}

/** What a relying party on this machine needs: trust bundle, pinned owners, and the word that development is fine. */
export async function writeTrustFile(
  path: string,
  server: RunningServer,
  admin: Target,
): Promise<void> {
  const owners = list(await apiOf(admin).get("/v1/owners"), "owners");
  const open = openTarget({ url: server.publicUrl });
  try {
    const domain = {
      origin: server.config.origin,
      trust_bundle: (await callJson(open, { method: "GET", path: "/bundle" })).value,
      owner_pins: pinsOf(owners),
      inside: true,
      evidence_origin: server.publicUrl,
      insecureAcceptDevelopment: true,
    };
    const wanted = `${JSON.stringify({ v: 1, domains: [domain] }, undefined, 2)}\n`;
    const present = await readPrivateFile(path);
    if (present === undefined || fromUtf8(present) !== wanted) await writePrivateFile(path, wanted);
  } finally {
    open.close();
  }
}
