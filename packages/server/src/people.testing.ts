import {
  agentId,
  base64,
  base64url,
  buildCsr,
  CONSENT_NAMESPACE,
  EST_MEDIA_TYPE,
  ENDORSEMENT,
  EVIDENCE,
  fromBase64url,
  fromUtf8,
  makeSshsig,
  parseJsonObject,
  proxyId,
  readCertsOnly,
  readEstBody,
  REQUEST,
  seal,
  thumbprint,
  utf8,
  writeEstRequestBody,
} from "@countersign/core";
import type {
  Bytes,
  Digest,
  EndorsementClaims,
  EvidenceClaims,
  JsonObject,
  OwnerKind,
  PostedRequest,
  RequestClaims,
  Signer,
} from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { DOMAIN, textOf } from "./world.testing.ts";
import type { Answered, Rig } from "./world.testing.ts";

const ISSUER = `https://id.${DOMAIN}`;
export const ENTRY_ID = `spiffe://${DOMAIN}/agent/mailer`;

/** A digest that stands for a number. */
export const d = (n: number): Digest => `sha-256:${base64url(new Uint8Array(32).fill(n))}`;

/** Facts of a program whose script has the digest of this number. */
export function submodsOf(script: number): EvidenceClaims["submods"] {
  return {
    host: { countersign_os: { kernel: "6.1" } },
    agent: {
      countersign_proc: {
        pid: 4711,
        start: 1,
        uid: 1001,
        gid: 1001,
        groups: [],
        exe: { path: "/usr/bin/node", d: d(1), dev: "8:1", ino: 1 },
        args: [{ path: "/app/agent.mjs", d: d(script), basis: "argv" }],
        ptraced: false,
        parents: [],
        key: { store: "proxy", exportable: false },
      },
    },
  };
}

/** What differs from a request that is in order. */
export interface Ask {
  readonly cs?: Digest;
  readonly script?: number;
  readonly key?: Signer;
  readonly nonce?: string;
  readonly request?: Partial<RequestClaims>;
  readonly endorsement?: Partial<EndorsementClaims>;
  readonly evidence?: Partial<EvidenceClaims>;
}

/** A host with a proxy that was enrolled: it asks as a proxy would, or as a bad one would. */
export class Host {
  readonly rig: Rig;
  readonly id: string;
  anchor: Signer = generateSigner();
  signer: Signer;
  certificate: Bytes;

  constructor(rig: Rig, id: string, signer: Signer, certificate: Bytes) {
    this.rig = rig;
    this.id = id;
    this.signer = signer;
    this.certificate = certificate;
  }

  get agent(): string {
    return agentId(ENTRY_ID, thumbprint(c, this.anchor.key));
  }

  call(what: string, json?: unknown): Promise<Answered> {
    const { certificate } = this;
    return this.rig.call("api", what, { certificate, ...(json === undefined ? {} : { json }) });
  }

  async nonce(): Promise<string> {
    return textOf((await this.call("POST /v1/nonce", {})).body["nonce"]);
  }

  async make(ask: Ask = {}): Promise<PostedRequest> {
    const now = this.rig.now();
    const key = ask.key ?? generateSigner();
    const nonce = ask.nonce ?? (await this.nonce());
    const request = await seal(
      c,
      REQUEST,
      {
        aud: ISSUER,
        nonce,
        iat: now,
        exp: now + 300,
        sub: ENTRY_ID,
        anchor: thumbprint(c, this.anchor.key),
        ...ask.request,
      },
      key,
    );
    const endorsement = await seal(
      c,
      ENDORSEMENT,
      {
        sub: agentId(request.claims.sub, request.claims.anchor),
        aud: ISSUER,
        jkt: thumbprint(c, key.key),
        iat: now,
        exp: now + 900,
        jti: base64url(this.rig.world.random(16)),
        ...(ask.cs === undefined ? {} : { cs: ask.cs }),
        ...ask.endorsement,
      },
      this.anchor,
    );
    const evidence = await seal(
      c,
      EVIDENCE,
      {
        eatNonce: nonce,
        aud: ISSUER,
        iat: now,
        key: key.key,
        req: request.digest,
        submods: submodsOf(ask.script ?? 2),
        ...ask.evidence,
      },
      this.signer,
    );
    return { request: request.octets, evidence: evidence.octets, endorsement: endorsement.octets };
  }

  post(posted: PostedRequest): Promise<Answered> {
    return this.call("POST /v1/credential-requests", posted);
  }

  async ask(ask: Ask = {}): Promise<Answered> {
    return this.post(await this.make(ask));
  }

  /** Renews its certificate; the answer is taken over unless it shall be lost. */
  async renew(isLost = false): Promise<string> {
    const signer = generateSigner();
    const answer = await est(this.rig, "simplereenroll", {
      csr: await buildCsr(c, signer, this.id),
      certificate: this.certificate,
    });
    if (typeof answer === "string") return answer;
    if (!isLost) {
      this.signer = signer;
      this.certificate = answer;
    }
    return "200";
  }
}

/** One EST call. @returns the certificate, or the word of the refusal */
export async function est(
  rig: Rig,
  path: string,
  options: { readonly csr: Bytes; readonly secret?: string; readonly certificate?: Bytes },
): Promise<Bytes | string> {
  const answer = await rig.call("api", `POST /.well-known/est/${path}`, {
    raw: writeEstRequestBody(options.csr),
    type: EST_MEDIA_TYPE.request,
    ...(options.secret === undefined
      ? {}
      : { headers: { authorization: `Basic ${base64(utf8(`:${options.secret}`))}` } }),
    ...(options.certificate === undefined ? {} : { certificate: options.certificate }),
  });
  if (answer.status !== 200) return answer.word;
  return readCertsOnly(readEstBody(answer.text, 65_536))[0] ?? "no certificate";
}

/** The secret in a fresh join token. */
export function joinSecret(rig: Rig, order: JsonObject): Promise<string> {
  return secretIn(rig, "POST /v1/join-tokens", order);
}

/** The secret in the token that a call of an administrator answers. */
export async function secretIn(rig: Rig, call: string, order: JsonObject): Promise<string> {
  const { body, word } = await rig.call("admin", call, { json: order });
  if (typeof body["token"] !== "string") return word;
  const token = parseJsonObject(fromUtf8(fromBase64url(body["token"])), {
    maxBytes: 4096,
    maxDepth: 2,
  });
  return textOf(token["secret"]);
}

/** Enrols a host with a join token. */
export async function enrolHost(rig: Rig, name = "host-1", replace = false): Promise<Host> {
  const secret = await joinSecret(rig, { name, replace });
  const signer = generateSigner();
  const id = proxyId(DOMAIN, name);
  const made = await est(rig, "simpleenroll", { csr: await buildCsr(c, signer, id), secret });
  if (typeof made === "string") throw new Error(`not enrolled: ${made}`);
  return new Host(rig, id, signer, made);
}

/** An owner with one enrolled key. */
export class Owner {
  readonly rig: Rig;
  readonly id: string;
  readonly signer: Signer;

  constructor(rig: Rig, id: string, signer: Signer) {
    this.rig = rig;
    this.id = id;
    this.signer = signer;
  }

  get jkt(): string {
    return thumbprint(c, this.signer.key);
  }

  async sign(bytes: Bytes, by: Signer = this.signer): Promise<JsonObject> {
    return { k: "sshsig", s: base64(await makeSshsig(c, by, CONSENT_NAMESPACE, bytes)) };
  }

  /** Opens a request for his key: the statement to sign. */
  async open(id: string, jkt: string = this.jkt, more = ""): Promise<Bytes> {
    const { body, word } = await this.rig.call(
      "admin",
      `GET /v1/owner/requests/${id}?jkt=${jkt}${more}`,
    );
    if (typeof body["jcs"] !== "string") throw new Error(word);
    return fromBase64url(body["jcs"]);
  }

  async decide(id: string, bytes: Bytes, by?: Signer): Promise<Answered> {
    return this.rig.call("admin", `POST /v1/owner/requests/${id}/decision`, {
      json: { decision: "approve", statement: base64url(bytes), sig: await this.sign(bytes, by) },
    });
  }

  /** Opens, signs and posts. @returns `cs` @throws Error with the word of the refusal */
  async approve(id: string): Promise<Digest> {
    const answer = await this.decide(id, await this.open(id));
    if (answer.status !== 200) throw new Error(answer.word);
    return answer.body["cs"] as Digest; // as the server says it
  }

  deny(id: string): Promise<Answered> {
    return this.rig.call("admin", `POST /v1/owner/requests/${id}/decision`, {
      json: { decision: "deny" },
    });
  }
}

/** Enrols an owner's key; a second call with the same name adds a key, co-signed by those given. */
export async function enrolOwner(
  rig: Rig,
  name = "alice",
  signer: Signer = generateSigner("Ed25519"),
  coSigners: readonly Owner[] = [],
  kind: OwnerKind = "person",
): Promise<Owner> {
  const offered = await rig.call("admin", "POST /v1/owner/keys/options", {
    json: { name, kind, jwk: signer.key },
  });
  const { jcs, owner } = offered.body;
  if (typeof jcs !== "string") throw new Error(offered.word);
  const id = textOf((owner as JsonObject)["id"]); // as the server says it
  const made = new Owner(rig, id, signer);
  const bytes = fromBase64url(jcs);
  const co = coSigners.map(async (one) => ({ jkt: one.jkt, sig: await one.sign(bytes) }));
  const added = await rig.call("admin", "POST /v1/owner/keys", {
    json: {
      statement: jcs,
      sig: await made.sign(bytes),
      comment: "",
      ...(co.length === 0 ? {} : { co_signatures: await Promise.all(co) }),
    },
  });
  if (added.status !== 200) throw new Error(added.word);
  return made;
}
