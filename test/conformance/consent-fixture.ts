import {
  base64,
  CONSENT_NAMESPACE,
  hex,
  fromBase64url,
  makeSshsig,
  Members,
  Refusal,
  seal,
  thumbprint,
  VIEW_CREDENTIAL,
  spkiOf,
  base64url,
} from "@countersign/core";
import type {
  CredentialStatement,
  KeyStatement,
  OwnerSignature,
  RefusalCode,
  RenderedRequest,
  Signed,
  SignedType,
  Signer,
  Statement,
} from "@countersign/core";
import { nodeCrypto, privateKeyFromPem, signerOf } from "@countersign/node";

function ed25519(pem: string): Signer {
  return signerOf(
    privateKeyFromPem(`-----BEGIN PRIVATE KEY-----\n${pem}\n-----END PRIVATE KEY-----\n`),
  );
}

// RFC 8037 A.1 and the same kind of key from the octets 1 … 32: published or obvious, never secret
export const OWNER: Signer = ed25519(
  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
);
export const OTHER: Signer = ed25519(
  "MC4CAQAwBQYDK2VwBCIEIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
);

const ANCHOR_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
export const ENTRY = "spiffe://example.com/agent/mailer";

const REQUEST: SignedType<RenderedRequest> = {
  typ: "agent-credential-request+jwt",
  key: "header",
  algs: ["Ed25519"],
  maxBytes: 16_384,
  invalid: "request_invalid",
  read: (payload) => {
    const members = new Members(payload, "request_invalid");
    return { sub: members.text("sub"), anchor: members.text("anchor") };
  },
  write: (claims) => claims,
};

export function requestOf(claims: Partial<RenderedRequest> = {}): Promise<Signed<RenderedRequest>> {
  return seal(nodeCrypto, REQUEST, { sub: ENTRY, anchor: ANCHOR_JKT, ...claims }, OTHER);
}

export const REQUEST_R: Signed<RenderedRequest> = await requestOf();

/** The statement that the tables change one member of. */
export const CREDENTIAL: CredentialStatement = {
  typ: "agent-consent/1",
  kind: "credential",
  decision: "approve",
  jti: "01JD9K7Z0M8Q4V3W2X1Y0Z9A8B",
  aud: "https://id.example.com",
  td: "example.com",
  iat: 1_795_442_780,
  exp: 1_795_443_080,
  nonce: "BwcHBwcHBwcHBwcHBwcHBw",
  owner: {
    id: "urn:agent-owner:example.com:7Qm0Zs6Yw1",
    jkt: thumbprint(nodeCrypto, OWNER.key),
  },
  agent: {
    id: `${ENTRY}/${hex(fromBase64url(ANCHOR_JKT).subarray(0, 8))}`,
    jkt: ANCHOR_JKT,
    meas: [
      { n: "binary", d: "sha-256:mjpF0BUxog6JrGrhCwsL6wSSrNchajaKoGLRpf7K-c0" },
      { n: "script", d: "sha-256:BbOr8leaXrZkA814vlV_2GBjOh_iEDx2QgMN7-MsZX8" },
    ],
    host: "spiffe://example.com/proxy/build-3",
  },
  req: REQUEST_R.digest,
  grant: {
    use: "standing",
    nbf: 1_795_442_760,
    exp: 1_796_047_560,
    max_ttl: 900,
    max_issue: 2016,
    max_live: 4,
    rekey: "endorsed",
    ceiling: [
      {
        type: "mcp_tool",
        locations: ["https://mail.example.com/mcp"],
        actions: ["messages.search", "messages.draft"],
        class: "reversible_write",
      },
      {
        type: "mcp_tool",
        locations: ["https://mail.example.com/mcp"],
        actions: ["messages.send"],
        class: "irreversible_action",
        max_calls: 20,
      },
    ],
  },
  view: { ...VIEW_CREDENTIAL, match: "42" },
};

const { agent: _agent, req: _req, grant: _grant, view: _view, ...COMMON } = CREDENTIAL;

export const KEY: KeyStatement = {
  ...COMMON,
  kind: "key",
  key: {
    op: "add",
    jkt: thumbprint(nodeCrypto, OWNER.key),
    kind: "person",
    spki: base64url(spkiOf(OWNER.key)),
  },
};

/** A change of a statement: members by dotted path; `undefined` removes one. */
export type Change = Readonly<Record<string, unknown>>;

/** A deep copy of a statement with the change made; what it is then is for the reader to judge. */
export function changed(body: object, change: Change): object {
  const copy = structuredClone(body) as Record<string, unknown>; // a copy that may become anything
  for (const [path, value] of Object.entries(change)) {
    const names = path.split(".");
    const last = names.pop() ?? "";
    let at = copy;
    for (const name of names) at = at[name] as Record<string, unknown>; // the tables name objects
    if (value === undefined) Reflect.deleteProperty(at, last);
    else at[last] = value;
  }
  return copy;
}

/** The code that an act is refused with; `"accepted"` when it is not. Any other error is thrown on. */
export async function outcome(act: () => unknown): Promise<RefusalCode | "accepted"> {
  try {
    await act();
    return "accepted";
  } catch (problem) {
    if (problem instanceof Refusal) return problem.code;
    throw problem;
  }
}

export async function signed(statement: Statement, by: Signer = OWNER): Promise<OwnerSignature> {
  const blob = await makeSshsig(nodeCrypto, by, CONSENT_NAMESPACE, statement.bytes);
  return { k: "sshsig", s: base64(blob) };
}
