import {
  draftPresigned,
  statementId,
  thumbprint,
  writeStatement,
} from "../../packages/core/src/index.ts";
import type { CredentialStatement } from "../../packages/core/src/index.ts";
import { nodeCrypto as c } from "../../packages/node/src/index.ts";
import type { Material } from "../../packages/proxy/src/presigned/material.ts";
import type { SignedConsent } from "../../packages/proxy/src/presigned/presigned.ts";
import { seededRandom, textOf } from "../../packages/server/src/world.testing.ts";
import type { Whole } from "./whole.ts";

/** What the owner's program makes of it, with a key that is software. */
export async function signBeforehand(
  { scene, w }: Whole,
  material: Material,
  change: (body: CredentialStatement) => object = () => ({}),
  by = scene.owner.signer,
): Promise<SignedConsent> {
  const { signer, id } = scene.owner;
  const key = {
    jkt: thumbprint(c, signer.key),
    jwk: signer.key,
    owner: id,
    ownerKind: "person",
    isSoftware: true,
    basis: "admin",
  } as const;
  const names = { proxy: w.identity().id, issuer: "https://id.example.org" };
  const of = { ...material, ...names, trustDomain: "example.org" };
  const jti = statementId(w.clock(), seededRandom("owner"));
  const body = draftPresigned(of, key, jti, w.clock());
  const { bytes } = writeStatement(c, { ...body, ...change(body) }, { preSigned: true });
  const s = textOf((await scene.owner.sign(bytes, by))["s"]);
  return { statement: bytes, sig: { k: "sshsig", s }, key: { jwk: by.key } };
}
