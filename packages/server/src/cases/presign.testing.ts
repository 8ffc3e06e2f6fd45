import {
  base64url,
  draftPresigned,
  PRESIGNED_LIFE_SECONDS,
  REQUEST,
  seal,
  statementId,
  thumbprint,
  writeStatement,
} from "@countersign/core";
import type { CredentialStatement, Digest, JsonObject, RequestClaims } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { d, ENTRY_ID } from "../people.testing.ts";
import type { Host, Owner } from "../people.testing.ts";
import type { Answered } from "../world.testing.ts";
import { enrolledOf } from "./asked.ts";
import type { Scene } from "./scene.testing.ts";

/** What differs from what a proxy and an owner in order would sign. */
export interface PresignChange {
  readonly request?: Partial<RequestClaims>;
  readonly body?: (body: CredentialStatement) => object;
  readonly script?: number;
  /** Who signs in the owner's place. */
  readonly by?: Owner["signer"];
}

/** What goes on the wire, and the digest of the statement in it. */
export interface Presigned {
  readonly json: JsonObject;
  readonly cs: Digest;
  readonly body: CredentialStatement;
}

/** R under the agent's own nonce, the statement over it and the owner's signature: nobody asked the server. */
export async function presign(
  { rig, host, owner }: Pick<Scene, "rig" | "host" | "owner">,
  change: PresignChange = {},
): Promise<Presigned> {
  const now = rig.now();
  const claims: RequestClaims = {
    aud: rig.world.config.issuer,
    nonce: base64url(rig.world.random(24)),
    iat: now,
    exp: now + PRESIGNED_LIFE_SECONDS,
    sub: ENTRY_ID,
    anchor: thumbprint(c, host.anchor.key),
    ...change.request,
  };
  const request = await seal(c, REQUEST, claims, generateSigner());
  const entry = (await rig.world.store.entry(ENTRY_ID))?.body;
  const key = await rig.world.store.ownerKey(owner.jkt);
  if (entry === undefined || key === undefined) throw new Error("not registered");
  const { issuer, trustDomain } = rig.world.config;
  const measurements = [
    { n: "binary", d: d(1) },
    { n: "script", d: d(change.script ?? 2) },
  ] as const;
  const plain = draftPresigned(
    { request, entry, proxy: host.id, measurements, issuer, trustDomain },
    enrolledOf(key),
    statementId(now, rig.world.random),
    now,
  );
  // whatever R says: the rest is as if it were in order
  const agent = { ...plain.agent, id: host.agent, jkt: thumbprint(c, host.anchor.key) };
  const changed = { ...plain, agent, ...change.body?.({ ...plain, agent }) };
  const statement = writeStatement(c, changed, { preSigned: true });
  const sig = await owner.sign(statement.bytes, change.by);
  return {
    json: { request: request.octets, statement: base64url(statement.bytes), sig },
    cs: statement.cs,
    body: statement.body,
  };
}

export function bring(host: Host, { json }: Pick<Presigned, "json">): Promise<Answered> {
  return host.call("POST /v1/presigned-consents", json);
}
