import {
  base64url,
  CLIENT_CERT_HEADER,
  draftMediated,
  gatewayId,
  measurementsOf,
  open,
  EVIDENCE,
  REQUEST,
  statementId,
  writeClientCert,
  writeStatement,
  buildCsr,
} from "@countersign/core";
import type {
  Bytes,
  CredentialStatement,
  Digest,
  JsonObject,
  PostedRequest,
} from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { enrolOwner, est, secretIn } from "../people.testing.ts";
import type { Ask, Host, Owner } from "../people.testing.ts";
import { DOMAIN, textOf } from "../world.testing.ts";
import type { Answered, Rig, RigOptions } from "../world.testing.ts";
import { enrolledOf } from "./asked.ts";
import { makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

export const EDGE: string = gatewayId(DOMAIN, "edge");

/** A server, a host, a policy engine as owner, and the gateway that signs for it. */
export interface MediatedScene extends Scene {
  readonly edge: Bytes;
}

/** Registers a gateway and enrols it. @returns its certificate */
export async function enrolEdge(rig: Rig, change: JsonObject = {}): Promise<Bytes> {
  const order = { name: "edge", owners: [], proxies: ["host-1"], ...change };
  const secret = await secretIn(rig, "POST /v1/gateway-tokens", order);
  const csr = await buildCsr(c, generateSigner(), gatewayId(DOMAIN, order.name));
  const made = await est(rig, "simpleenroll", { csr, secret });
  if (typeof made === "string") throw new Error(`not enrolled: ${made}`);
  return made;
}

export async function mediatedScene(options: RigOptions = {}): Promise<MediatedScene> {
  const scene = await makeScene(options);
  const { rig, put } = scene;
  const owner = await enrolOwner(rig, "engine", generateSigner("Ed25519"), [], "policy");
  await put({ owner: owner.id });
  const edge = await enrolEdge(rig, { owners: ["engine"] });
  const putOwned = (change: JsonObject): Promise<string> => put({ owner: owner.id, ...change });
  return { ...scene, owner, edge, put: putOwned };
}

/** A call of a gateway for a host. */
export function through(
  { rig, edge }: Pick<MediatedScene, "rig" | "edge">,
  host: Pick<Host, "certificate">,
  what: string,
  json: unknown,
): Promise<Answered> {
  const headers = { [CLIENT_CERT_HEADER]: writeClientCert(host.certificate) };
  return rig.call("api", what, { json, certificate: edge, headers });
}

/** A host's question, by way of the gateway. */
export async function askThrough(scene: MediatedScene, ask: Ask = {}): Promise<PostedRequest> {
  const { host } = scene;
  const answered = await through(scene, host, "POST /v1/nonce", {});
  const posted = await host.make({ nonce: textOf(answered.body["nonce"]), ...ask });
  const { word } = await through(scene, host, "POST /v1/credential-requests", posted);
  if (word !== "202") throw new Error(word);
  return posted;
}

export interface Mediated {
  readonly json: JsonObject;
  readonly cs: Digest;
  readonly body: CredentialStatement;
}

/** What the gateway makes of a question, with the owner's key. */
export async function mediate(
  { rig, host, owner }: Pick<MediatedScene, "rig" | "host" | "owner">,
  posted: PostedRequest,
  change: {
    readonly body?: (body: CredentialStatement) => object;
    readonly by?: Owner["signer"];
  } = {},
): Promise<Mediated> {
  const request = await open(c, REQUEST, posted.request);
  const evidence = await open(c, EVIDENCE, posted.evidence, [host.signer.key]);
  const entry = (await rig.world.store.entry(request.claims.sub))?.body;
  const key = await rig.world.store.ownerKey(owner.jkt);
  if (entry === undefined || key === undefined) throw new Error("not registered");
  const { issuer, trustDomain } = rig.world.config;
  const measurements = measurementsOf(evidence.claims);
  const now = rig.now();
  const plain = draftMediated(
    { request, entry, proxy: host.id, measurements, issuer, trustDomain },
    enrolledOf(key),
    { jti: statementId(now, rig.world.random), nonce: base64url(rig.world.random(16)) },
    now,
  );
  const statement = writeStatement(c, { ...plain, ...change.body?.(plain) });
  const sig = await owner.sign(statement.bytes, change.by);
  return {
    json: { request: posted.request, statement: base64url(statement.bytes), sig },
    cs: statement.cs,
    body: statement.body,
  };
}

export function bringThrough(
  { rig, edge }: Pick<MediatedScene, "rig" | "edge">,
  { json }: Pick<Mediated, "json">,
): Promise<Answered> {
  return rig.call("api", "POST /v1/owner-consents", { json, certificate: edge });
}
