import type {
  Announcement,
  Bytes,
  Digest,
  Entry,
  JsonObject,
  Jwk,
  RunFact,
  Seconds,
} from "@countersign/core";

/** A registration entry; each change is the next `version`. A removed one keeps its row: its history is in the log. */
export interface EntryRow {
  readonly id: string;
  readonly proxy: string;
  /** Last segment of the id. */
  readonly name: string;
  readonly body: Entry;
  /** Counts from 1. */
  readonly version: number;
  readonly removedAt?: Seconds;
}

export interface ProxyRow {
  readonly id: string;
  readonly name: string;
  readonly state: "enrolled" | "halted";
  /** Serial of the one certificate that is accepted now. */
  readonly liveSerial: string;
  /** Thumbprint of its key, with which evidence is signed. */
  readonly liveJkt: string;
  readonly liveJwk: Jwk;
  readonly notAfter: Seconds;
  readonly enrolledAt: Seconds;
  readonly forkedAt?: Seconds;
  readonly development?: boolean;
}

export interface CertificateRow {
  readonly serial: string;
  readonly proxy: string;
  readonly jkt: string;
  readonly notAfter: Seconds;
  readonly state: "live" | "superseded" | "retired";
}

/** A gateway, as an administrator registered it. Its certificates and its end are rows beside those of proxies. */
export interface GatewayRow {
  readonly id: string;
  /** Ids of the owners that it signs for. */
  readonly owners: readonly string[];
  /** Ids of the proxies that it may speak for. */
  readonly proxies: readonly string[];
  readonly registeredAt: Seconds;
}

/** The secret itself is never stored, only its SHA-256. */
export interface JoinTokenRow {
  readonly hash: string;
  readonly proxy: string;
  readonly exp: Seconds;
  readonly replace: boolean;
  /** Serial of the certificate that the first use enrolled. */
  readonly usedBy?: string;
}

export interface OwnerRow {
  readonly id: string;
  readonly name: string;
  readonly kind: "person" | "device" | "policy";
  readonly createdAt: Seconds;
}

export interface OwnerKeyRow {
  readonly jkt: string;
  readonly owner: string;
  readonly jwk: Jwk;
  readonly kind: "person" | "device" | "policy";
  readonly comment: string;
  /** FIDO application of an `sk-` key; RP ID of a passkey. */
  readonly app?: string;
  /** Of a passkey. */
  readonly authenticator?: AuthenticatorRecord;
  /** SubjectPublicKeyInfo, base64url. */
  readonly spki: string;
  /** How the server knows the key: `admin`, `tofu`, `pinned`, `x509`, `oidc:…` */
  readonly basis: string;
  /** Certificates that name its owner, as they stand in bundles: DER in base64, leaf first. */
  readonly x5c?: readonly string[];
  /** Octets of the `key` statement, and the signatures over them. */
  readonly statement: Bytes;
  readonly sigs: readonly JsonObject[];
  /** Index of the `key.added` leaf, and the number of its log; set by the store. */
  readonly seq?: number;
  readonly log?: number;
  /** Highest signature counter seen; absent where the key has none. */
  readonly counter?: number;
  readonly addedAt: Seconds;
  readonly removedAt?: Seconds;
  readonly suspendedAt?: Seconds;
  /** Thumbprints of the keys in whose sessions the owner said that this one is his. */
  readonly knownBy?: readonly string[];
}

/** A registration of a passkey that was begun (WebAuthn 7.1). */
export interface RegistrationRow {
  /** Base64url. */
  readonly challenge: string;
  /** Owner id. */
  readonly owner: string;
  readonly exp: Seconds;
}

/** What an authenticator said when it made a passkey. */
export interface AuthenticatorRecord {
  /** Attestation: format, attestation object and client data, base64url. */
  readonly fmt: string;
  readonly obj: string;
  readonly cd: string;
  /** Make and model; zeros where it did not tell. */
  readonly aaguid: string;
  /** Credential id, base64url. */
  readonly credential: string;
  readonly transports: readonly string[];
  /** BE, which never changes, and BS as it was then. */
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
  readonly counter: number;
}

/** A printed code with which an owner stops everything of his; the code itself is never stored. */
export interface StopCodeRow {
  /** Keyed hash, base64url. */
  readonly hash: string;
  readonly owner: string;
  readonly madeAt: Seconds;
  readonly usedAt?: Seconds;
}

/** A new key for an owner who lost every one, on the word of an administrator: enabled when its time has come. */
export interface RecoveryRow {
  /** Short random name. */
  readonly id: string;
  readonly owner: string;
  /** The new key, as it will stand among the owner's. */
  readonly jkt: string;
  readonly key: JsonObject;
  /** Octets of its `key` statement. */
  readonly statement: Bytes;
  readonly announcedAt: Seconds;
  /** When it is enabled, unless it was cancelled. */
  readonly enabledAt: Seconds;
  readonly state: "announced" | "recovered" | "cancelled";
  readonly decidedAt?: Seconds;
}

/** That an entry may not ask before its owner lets it. */
export interface BlockRow {
  readonly entry: string;
  readonly at: Seconds;
}

/** Since when the denials of an entry count anew. */
export interface UnblockRow {
  readonly entry: string;
  readonly at: Seconds;
}

/** That a start of an entry is expected: the newest of each. */
export interface AnnouncementRow extends Announcement {
  readonly entry: string;
  readonly proxy: string;
  /** Who of its owners announced it, or listed the user whose run did. */
  readonly owner: string;
}

/** A user of a host whose runs an owner has listed as his own. */
export interface StarterRow {
  /** `starterId` */
  readonly id: string;
  readonly owner: string;
  readonly proxy: string;
  readonly uid: number;
  readonly since: Seconds;
}

/** An entry on its proxy. At most one per entry is not retired. */
export interface InstallationRow {
  /** Agent id. */
  readonly agent: string;
  readonly entry: string;
  /** Thumbprint of the anchor. */
  readonly anchor: string;
  readonly proxy: string;
  readonly since: Seconds;
  readonly retiredAt?: Seconds;
}

export type AskState = "asked" | "approved" | "denied" | "expired" | "superseded";

/** A question to an owner, or to several. At most one per entry is `asked`. */
export interface AskRow {
  /** Digest of R's octets. */
  readonly req: Digest;
  /** Short random name for the command line. */
  readonly id: string;
  readonly entry: string;
  readonly agent: string;
  readonly proxy: string;
  readonly anchor: string;
  readonly owner: string;
  /** Where it takes several owners: how many, of which. */
  readonly parties?: { readonly m: number; readonly owners: readonly string[] };
  /** R's octets; absent once erased. */
  readonly request?: string;
  readonly facts: JsonObject;
  readonly appraisal: JsonObject;
  readonly reasons: readonly { readonly code: string; readonly text: string }[];
  readonly expected: boolean;
  /** How the program was started, by the proxy's word; absent where it did not come through a run door. */
  readonly run?: RunFact;
  /** When each owner first had its text, by owner id. */
  readonly opened?: Readonly<Record<string, Seconds>>;
  readonly createdAt: Seconds;
  readonly deadline: Seconds;
  readonly state: AskState;
  readonly decidedAt?: Seconds;
  /** Thumbprint of the key that signed, or in whose session it was denied; absent where no key did. */
  readonly decidedBy?: string;
  /** The statement that decided it. */
  readonly cs?: Digest;
}

/** What becomes of a question. */
export type AskFields = Pick<AskRow, "state" | "decidedAt" | "decidedBy" | "cs" | "expected">;

/** A statement prepared for one key to sign. */
export interface StatementRow {
  readonly jti: string;
  readonly req: Digest;
  readonly ownerJkt: string;
  readonly bytes: Bytes;
  readonly exp: Seconds;
  /** Of the passkey that a key statement is about. */
  readonly authenticator?: AuthenticatorRecord;
}

/** The statement that several owners are asked to sign, as the first of them got it; each gets his own of it. */
export interface CeremonyRow {
  readonly req: Digest;
  /** Random, and inside every statement of it. */
  readonly nonce: string;
  readonly statement: Bytes;
  readonly exp: Seconds;
}

/** What one of several owners has signed: of a question, while too few have; of a grant from then on. */
export interface SignatureRow {
  readonly jti: string;
  readonly req: Digest;
  /** How many signed before, from 0. */
  readonly n: number;
  readonly owner: string;
  readonly ownerJkt: string;
  readonly ownerKind: "person" | "device" | "policy";
  readonly basis: string;
  readonly assurance: number;
  /** Digest of the statement that was signed first: the grant's, once there is one. */
  readonly cs: Digest;
  /** As in `GrantRow`. */
  readonly statement: Bytes;
  readonly signature: JsonObject;
  readonly key: { readonly jwk: Jwk; readonly app?: string; readonly x5c?: readonly string[] };
  readonly chain?: readonly string[];
  readonly at: Seconds;
}

export interface GrantRow {
  readonly cs: Digest;
  readonly agent: string;
  readonly entry: string;
  readonly proxy: string;
  readonly owner: string;
  readonly ownerJkt: string;
  readonly ownerKind: "person" | "device" | "policy";
  readonly basis: string;
  readonly assurance: number;
  readonly model: "agent" | "owner" | "server";
  /** Octets as signed, the owner's signature, and the key as it stands in the bundle. */
  readonly statement: Bytes;
  readonly signature: JsonObject;
  readonly key: { readonly jwk: Jwk; readonly app?: string; readonly x5c?: readonly string[] };
  /** Thumbprints of the keys whose adding leads to this one, oldest first; absent where nobody co-signed it. */
  readonly chain?: readonly string[];
  /** Ids of every owner whom the statement names, where it takes several: what they signed stands in `SignatureRow`. */
  readonly parties?: readonly string[];
  readonly nbf: Seconds;
  readonly exp: Seconds;
  readonly use: "single" | "standing";
  readonly maxIssue: number;
  readonly maxLive: number;
  readonly maxTtlSeconds: Seconds;
  /** Credentials issued so far; moved by `expect.issue` only. */
  readonly issued: number;
  readonly endedAt?: Seconds;
  readonly endedWhy?: string;
}

/** What was issued: never the credential itself, but what its bundle needs beside log and grant. */
export interface CredentialRow {
  readonly jti: string;
  readonly cs?: Digest;
  readonly agent: string;
  readonly entry: string;
  readonly proxy: string;
  /** Ordinal under the grant. */
  readonly n?: number;
  readonly iat: Seconds;
  readonly exp: Seconds;
  /** Thumbprint of the credential key. */
  readonly keyJkt: string;
  /** The endorsement's compact JWS. */
  readonly end?: string;
  /** Salts of the forms' commits, base64url. */
  readonly salts: { readonly wit: string; readonly x509: string };
  /** Index of its leaf. */
  readonly seq: number;
  /** Number of the log in which that leaf is. */
  readonly log: number;
}

/** Single use of R, and its idempotence: the outcome that a repeated R gets. */
export interface RequestRow {
  readonly req: Digest;
  readonly proxy: string;
  /** R's own expiry. */
  readonly exp: Seconds;
  /** Epoch at which the outcome was decided. */
  readonly epoch: number;
  readonly outcome: JsonObject;
  /** Index of the decision's leaf, where it has one. */
  readonly seq?: number;
}

export type StopScope = "agent" | "entry" | "grant" | "owner" | "proxy" | "domain";

export interface StopRow {
  readonly id: string;
  readonly scope: StopScope;
  /** Agent id, entry id, `cs`, owner id, proxy id or trust domain. */
  readonly target: string;
  readonly since: Seconds;
  readonly by: string;
  readonly reason: string;
  readonly liftedAt?: Seconds;
}

export interface LogRow {
  /** Tree index, from 0. */
  readonly seq: number;
  readonly type: string;
  readonly t: Seconds;
  /** JCS octets of the leaf: the log's entry. */
  readonly leaf: Bytes;
  /** JCS octets of the record; absent once erased. */
  readonly record?: Bytes;
  /** Salts of the commits, base64url; that of an erased record is gone too. */
  readonly salts: Readonly<Record<string, string>>;
}

/** A log that ended in a recovery. */
export interface FormerLogRow {
  /** Counts from 1. */
  readonly number: number;
  readonly origin: string;
  /** The key that its checkpoints are verified with. */
  readonly vkey: string;
  /** The newest one known of it. */
  readonly checkpoint?: string;
  /** Rows that are left of it; fewer than its checkpoint says where an old copy was restored. */
  readonly size: number;
  readonly endedAt: Seconds;
}
