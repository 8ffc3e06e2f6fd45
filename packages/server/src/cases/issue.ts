import {
  formPayload,
  issueCredential,
  presentedOf,
  thumbprint,
  utf8,
  verify,
  writeIssueRecord,
} from "@countersign/core";
import type { Bytes, Credential, CredentialDraft } from "@countersign/core";
import type { World } from "../world.ts";
import { approvalPartOf } from "./bundle.ts";
import type { Case } from "./credential.ts";
import { nonceUntil } from "./credential.ts";
import { installationChanges } from "./installation.ts";
import { storeIssued } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";
import { logRow, newSalt } from "./record.ts";
import { activeWit, ownTrust } from "./trust.ts";
import { base64url } from "@countersign/core";

const JTI_BYTES = 16;
const SERIAL_BYTES = 20;

/** Signs both forms and walks the links a stranger would walk, with this server's own anchors and the approved owner key. */
async function signAndVerify(
  w: World,
  of: Case,
  draft: CredentialDraft,
  jti: string,
): Promise<Credential> {
  const credential = await issueCredential(w.c, draft, {
    issuer: w.config.issuer,
    wit: activeWit(w, of.now).signer,
    ca: w.keys.agents,
    jti,
    serial: w.random(SERIAL_BYTES),
  });
  const grant = of.rows.grant;
  const evidence =
    draft.owner === undefined || grant === undefined
      ? {}
      : { approval: approvalPartOf(grant), endorsement: of.attested.endorsement.octets };
  const presented = { ...presentedOf(credential.wit, credential.chain, undefined), ...evidence };
  await verify(
    w.c,
    presented,
    await ownTrust(w, grant?.ownerJkt),
    { proof: draft.owner === undefined ? "none" : "verified" },
    of.now,
  );
  return credential;
}

function recordOf(w: World, of: Case, draft: CredentialDraft, jti: string): object {
  const { attested: a, entry } = of;
  return writeIssueRecord({
    agent: a.agent,
    entry: entry.id,
    ...(draft.owner === undefined
      ? {}
      : {
          owner: draft.owner.grant.statement.owner.id,
          cs: draft.owner.grant.cs,
          n: draft.owner.n,
        }),
    jti,
    req: a.request.digest,
    evidence: a.evidence.digest,
    proxy: { id: a.proxy, jkt: thumbprint(w.c, a.evidence.key) },
    appraisal: { host: a.appraisal.host, agent: a.appraisal.agent },
    policy: { decision: "issue", id: w.config.policy },
    iat: draft.iat,
    nbf: draft.iat - 30,
    exp: draft.exp,
  });
}

/** Signs, verifies as a stranger, commits under the guard, and only then answers with the whole bundle. */
export async function commitIssue(
  w: World,
  of: Case,
  draft: CredentialDraft,
): Promise<Outcome | "conflict" | "used"> {
  const { attested: a, rows, entry, now } = of;
  const jti = base64url(w.random(JTI_BYTES));
  const credential = await signAndVerify(w, of, draft, jti);
  const leafCertificate = credential.chain[0] ?? new Uint8Array();
  const cs = draft.owner?.grant.cs;
  const n = draft.owner?.n;
  const salts: { readonly wit: Bytes; readonly x509: Bytes } = {
    wit: newSalt(w),
    x509: newSalt(w),
  };
  const log = logRow(w, {
    type: "credential.issued",
    t: now,
    actor: "server",
    record: recordOf(w, of, draft, jti),
    forms: [
      { name: "wit", salt: salts.wit, payload: formPayload(w.c, cs, utf8(credential.wit)) },
      { name: "x509", salt: salts.x509, payload: formPayload(w.c, cs, leafCertificate) },
    ],
  });
  const keyJkt = thumbprint(w.c, a.key);
  const end = a.endorsement.octets;
  const committed = await w.store.commit({
    log,
    changes: [
      ...installationChanges(of),
      {
        put: "credential",
        row: {
          jti,
          ...(cs === undefined || n === undefined ? {} : { cs, n, end }),
          agent: a.agent,
          entry: entry.id,
          proxy: a.proxy,
          iat: draft.iat,
          exp: draft.exp,
          keyJkt,
          salts: { wit: base64url(salts.wit), x509: base64url(salts.x509) },
        },
      },
      {
        put: "request",
        row: {
          req: a.request.digest,
          proxy: a.proxy,
          exp: a.request.claims.exp,
          epoch: rows.epoch,
          outcome: {
            ...storeIssued({
              wit: credential.wit,
              wic: credential.chain,
              jti,
              n: n ?? 0,
              expiresAt: draft.exp,
            }),
            agent: a.agent,
            entry: entry.id,
            proxy: a.proxy,
          },
        },
      },
    ],
    once: [
      { kind: "nonce", value: a.request.claims.nonce, until: nonceUntil(now) },
      { kind: "key", value: keyJkt, until: Number.MAX_SAFE_INTEGER },
    ],
    expect: {
      epoch: rows.epoch,
      ...(cs === undefined || n === undefined ? {} : { issue: { cs, n } }),
    },
    issues: true,
  });
  if (committed === "conflict" || committed === "used") return committed;
  const credentialPart = {
    jti,
    ...(cs === undefined ? {} : { cs, end }),
    leaf: log.leaf,
    salts,
    proof: committed.proof ?? "",
  };
  const bundle = {
    ...(rows.grant === undefined || cs === undefined
      ? {}
      : { approval: approvalPartOf(rows.grant) }),
    credential: credentialPart,
  };
  return {
    state: "issued",
    wit: credential.wit,
    wic: credential.chain,
    bundle,
    jti,
    n: n ?? 0,
    expires_at: draft.exp,
  };
}
