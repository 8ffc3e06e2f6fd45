import {
  base64url,
  formPayload,
  issueCredential,
  presentedOf,
  Refusal,
  thumbprint,
  utf8,
  verify,
  withoutAttestations,
  writeIssueRecord,
} from "@countersign/core";
import type {
  ApprovalPart,
  Bytes,
  Credential,
  CredentialDraft,
  Digest,
  OwnerPin,
} from "@countersign/core";
import type { GrantRow } from "../store/rows.ts";
import type { Change, Decision } from "../store/store.ts";
import type { World } from "../world.ts";
import { approvalPartOf } from "./bundle.ts";
import type { Case } from "./credential.ts";
import { nonceUntil } from "./nonces.ts";
import { installationChanges } from "./installation.ts";
import { storeIssued } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";
import { logRow, newSalt } from "./record.ts";
import { activeWit, ownTrust } from "./trust.ts";

const JTI_BYTES = 16;
const SERIAL_BYTES = 20;

/** A key that approved, a security key with the application that its signatures are for. */
function pinOf(jkt: string, { app }: GrantRow["key"]): OwnerPin {
  return app === undefined ? { jkt } : { jkt, app };
}

/** The keys that approved. */
function pinsOf(w: World, grant: GrantRow, approval: ApprovalPart): readonly OwnerPin[] {
  const own = pinOf(grant.ownerJkt, grant.key);
  if (approval.sts === undefined) return [own];
  return [own, ...approval.sts.map(({ key }) => pinOf(thumbprint(w.c, key.jwk), key))];
}

/** Signs both forms and walks the links a stranger would walk, with this server's own anchors and the approved owner key. */
async function signAndVerify(
  w: World,
  of: Case,
  draft: CredentialDraft,
  jti: string,
): Promise<Credential> {
  const wit = activeWit(w, of.now).signer;
  const keys = [wit.key, w.keys.agents.signer.key, of.attested.endorsement.key];
  const c = of.crypto.of(keys);
  const { grant } = of.rows;
  const bound = draft.owner === undefined ? undefined : grant;
  const approval = bound === undefined ? undefined : await approvalPartOf(w, bound);
  const isCarried = of.entry.x509Evidence === "approval" && approval !== undefined;
  const credential = await issueCredential(c, draft, {
    issuer: w.config.issuer,
    wit,
    ca: w.keys.agents,
    jti,
    serial: w.random(SERIAL_BYTES),
    ...(isCarried ? { carried: withoutAttestations(approval) } : {}),
  });
  const evidence =
    approval === undefined ? {} : { approval, endorsement: of.attested.endorsement.octets };
  const presented = { ...presentedOf(credential.wit, credential.chain, undefined), ...evidence };
  await verify(
    c,
    presented,
    await ownTrust(
      w,
      bound === undefined || approval === undefined ? [] : pinsOf(w, bound, approval),
    ),
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

/** One issue, signed and verified, with everything that its commit writes. */
interface Prepared {
  readonly jti: string;
  readonly credential: Credential;
  readonly draft: CredentialDraft;
  readonly salts: { readonly wit: Bytes; readonly x509: Bytes };
  readonly cs?: Digest;
  readonly n?: number;
}

function leafOf(w: World, of: Case, p: Prepared): NonNullable<Decision["log"]> {
  const certificate = p.credential.chain[0] ?? new Uint8Array();
  return logRow(w, {
    type: "credential.issued",
    t: of.now,
    actor: "server",
    record: recordOf(w, of, p.draft, p.jti),
    forms: [
      { name: "wit", salt: p.salts.wit, payload: formPayload(w.c, p.cs, utf8(p.credential.wit)) },
      { name: "x509", salt: p.salts.x509, payload: formPayload(w.c, p.cs, certificate) },
    ],
  });
}

function changesOf(w: World, of: Case, p: Prepared): readonly Change[] {
  const { attested: a, entry, rows } = of;
  const names = { agent: a.agent, entry: entry.id, proxy: a.proxy };
  const bound =
    p.cs === undefined || p.n === undefined ? {} : { cs: p.cs, n: p.n, end: a.endorsement.octets };
  const issued = {
    wit: p.credential.wit,
    wic: p.credential.chain,
    jti: p.jti,
    n: p.n ?? 0,
    expiresAt: p.draft.exp,
  };
  return [
    ...installationChanges(of),
    {
      put: "credential",
      row: {
        jti: p.jti,
        ...bound,
        ...names,
        iat: p.draft.iat,
        exp: p.draft.exp,
        keyJkt: thumbprint(w.c, a.key),
        salts: { wit: base64url(p.salts.wit), x509: base64url(p.salts.x509) },
      },
    },
    {
      put: "request",
      row: {
        req: a.request.digest,
        proxy: a.proxy,
        exp: a.request.claims.exp,
        epoch: rows.epoch,
        outcome: { ...storeIssued(issued), ...names },
      },
    },
  ];
}

async function answerOf(
  w: World,
  of: Case,
  p: Prepared,
  logged: { readonly leaf: Bytes; readonly proof: string },
): Promise<Outcome> {
  const { grant } = of.rows;
  const bound = p.cs === undefined ? {} : { cs: p.cs, end: of.attested.endorsement.octets };
  return {
    state: "issued",
    wit: p.credential.wit,
    wic: p.credential.chain,
    bundle: {
      ...(grant === undefined || p.cs === undefined
        ? {}
        : { approval: await approvalPartOf(w, grant) }),
      credential: { jti: p.jti, ...bound, salts: p.salts, ...logged },
    },
    jti: p.jti,
    n: p.n ?? 0,
    expires_at: p.draft.exp,
  };
}

/** Signs, verifies as a stranger, commits under the guard, and only then answers with the whole bundle. */
export async function commitIssue(
  w: World,
  of: Case,
  draft: CredentialDraft,
): Promise<Outcome | "conflict" | "used"> {
  const { attested: a, rows, now } = of;
  const jti = base64url(w.random(JTI_BYTES));
  const owner = draft.owner === undefined ? {} : { cs: draft.owner.grant.cs, n: draft.owner.n };
  const prepared: Prepared = {
    jti,
    credential: await signAndVerify(w, of, draft, jti),
    draft,
    salts: { wit: newSalt(w), x509: newSalt(w) },
    ...owner,
  };
  const log = leafOf(w, of, prepared);
  const { cs, n } = prepared;
  const committed = await w.store.commit({
    log,
    changes: changesOf(w, of, prepared),
    once: [
      { kind: "nonce", value: a.request.claims.nonce, until: nonceUntil(now) },
      { kind: "key", value: thumbprint(w.c, a.key), until: Number.MAX_SAFE_INTEGER },
    ],
    expect: {
      epoch: rows.epoch,
      ...(cs === undefined || n === undefined ? {} : { issue: { cs, n } }),
    },
    issues: true,
  });
  if (committed === "conflict" || committed === "used") return committed;
  // no proof, no answer: an issue that is not under a checkpoint has not happened for anybody outside
  if (committed.proof === undefined) throw new Refusal("indeterminate", "the log gave no proof");
  return answerOf(w, of, prepared, { leaf: log.leaf, proof: committed.proof });
}
