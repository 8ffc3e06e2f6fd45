import type { Json } from "@countersign/core";
import type { DigitsRow } from "./digits-row.ts";
import type { InvitationRow } from "./invitation-row.ts";
import type {
  AnnouncementRow,
  AskRow,
  BlockRow,
  CeremonyRow,
  CertificateRow,
  CredentialRow,
  EntryRow,
  FormerLogRow,
  GatewayRow,
  GrantRow,
  InstallationRow,
  JoinTokenRow,
  LogRow,
  OwnerKeyRow,
  OwnerRow,
  ProxyRow,
  RegistrationRow,
  RecoveryRow,
  RequestRow,
  SignatureRow,
  StarterRow,
  StatementRow,
  StopCodeRow,
  StopRow,
  UnblockRow,
} from "./rows.ts";
import type { SqlRow, SqlValue } from "./sqlite.ts";

/** How a member stands in its column. An absent member is NULL. */
type Kind = "text" | "integer" | "flag" | "json" | "blob";

/** One table: its members in the order of `rows.ts`, and the texts that follow from them. */
export interface Table<Row> {
  readonly name: string;
  readonly insert: string;
  /** Inserts, or replaces every other column of the row with that key. */
  readonly upsert: string;
  /** The values in the order of the places in `insert` and `upsert`. */
  bind(row: Row): readonly SqlValue[];
  /** The SET clause for the members given; one that is there and undefined becomes NULL. */
  set(fields: Partial<Row>): {
    readonly clause: string;
    readonly params: Readonly<Record<string, SqlValue>>;
  };
  read(row: SqlRow): Row;
}

function columnOf(member: string): string {
  return member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function toColumn(kind: Kind, value: unknown): SqlValue {
  if (value === undefined) return null;
  if (kind === "json") return JSON.stringify(value);
  if (kind === "flag") return value === true ? 1 : 0;
  return value as SqlValue; // `table` pairs each member with the kind of its type
}

function fromColumn(kind: Kind, value: SqlValue | undefined): unknown {
  if (kind === "json") return JSON.parse(String(value)) as Json; // written by toColumn
  if (kind === "flag") return value === 1;
  if (kind === "blob" && value instanceof Uint8Array) return new Uint8Array(value);
  return value;
}

/** @param members each member with its kind, the key first */
export function table<Row>(
  name: string,
  members: { readonly [M in keyof Row & string]-?: Kind },
): Table<Row> {
  const kinds = Object.entries<Kind>(members);
  const columns = kinds.map(([member, kind]) => ({
    member: member as keyof Row,
    kind,
    column: columnOf(member),
  }));
  const names = columns.map(({ column }) => `"${column}"`);
  const [key, ...others] = names;
  const insert = `INSERT INTO ${name} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`;
  return {
    name,
    insert,
    upsert: `${insert} ON CONFLICT (${key}) DO UPDATE SET ${others.map((column) => `${column} = excluded.${column}`).join(", ")}`,
    bind: (row) => columns.map(({ member, kind }) => toColumn(kind, row[member])),
    set: (fields) => {
      const given = kinds.filter(([member]) => Object.hasOwn(fields, member));
      return {
        clause: given.map(([member]) => `"${columnOf(member)}" = :${member}`).join(", "),
        params: Object.fromEntries(
          given.map(([member, kind]) => [member, toColumn(kind, fields[member as keyof Row])]),
        ),
      };
    },
    read: (row) => {
      const read: Partial<Record<keyof Row, unknown>> = {};
      for (const { member, kind, column } of columns) {
        const value = row[column];
        if (value !== null && value !== undefined) read[member] = fromColumn(kind, value);
      }
      return read as Row; // the schema's NOT NULL columns are the members that are not optional
    },
  };
}

export const ENTRIES: Table<EntryRow> = table<EntryRow>("entries", {
  id: "text",
  proxy: "text",
  name: "text",
  body: "json",
  version: "integer",
  removedAt: "integer",
});
export const PROXIES: Table<ProxyRow> = table<ProxyRow>("proxies", {
  id: "text",
  name: "text",
  state: "text",
  liveSerial: "text",
  liveJkt: "text",
  liveJwk: "json",
  notAfter: "integer",
  enrolledAt: "integer",
  forkedAt: "integer",
  development: "flag",
});
export const GATEWAYS: Table<GatewayRow> = table<GatewayRow>("gateways", {
  id: "text",
  owners: "json",
  proxies: "json",
  registeredAt: "integer",
});
export const CERTIFICATES: Table<CertificateRow> = table<CertificateRow>("certificates", {
  serial: "text",
  proxy: "text",
  jkt: "text",
  notAfter: "integer",
  state: "text",
});
export const JOIN_TOKENS: Table<JoinTokenRow> = table<JoinTokenRow>("join_tokens", {
  hash: "text",
  proxy: "text",
  exp: "integer",
  replace: "flag",
  usedBy: "text",
});
export const OWNERS: Table<OwnerRow> = table<OwnerRow>("owners", {
  id: "text",
  name: "text",
  kind: "text",
  createdAt: "integer",
});
export const OWNER_KEYS: Table<OwnerKeyRow> = table<OwnerKeyRow>("owner_keys", {
  jkt: "text",
  owner: "text",
  jwk: "json",
  kind: "text",
  comment: "text",
  app: "text",
  spki: "text",
  basis: "text",
  x5c: "json",
  statement: "blob",
  sigs: "json",
  seq: "integer",
  log: "integer",
  counter: "integer",
  authenticator: "json",
  addedAt: "integer",
  removedAt: "integer",
  suspendedAt: "integer",
  knownBy: "json",
});
export const INVITATIONS: Table<InvitationRow> = table<InvitationRow>("invitations", {
  hash: "text",
  id: "text",
  owner: "text",
  by: "text",
  madeAt: "integer",
  exp: "integer",
  coSigner: "text",
  offer: "json",
  usedAt: "integer",
  jkt: "text",
  cancelledAt: "integer",
  cancelledBy: "text",
});
export const STOP_CODES: Table<StopCodeRow> = table<StopCodeRow>("stop_codes", {
  hash: "text",
  owner: "text",
  madeAt: "integer",
  usedAt: "integer",
});
export const RECOVERIES: Table<RecoveryRow> = table<RecoveryRow>("recoveries", {
  id: "text",
  owner: "text",
  jkt: "text",
  key: "json",
  statement: "blob",
  announcedAt: "integer",
  enabledAt: "integer",
  state: "text",
  decidedAt: "integer",
});
export const BLOCKS: Table<BlockRow> = table<BlockRow>("blocks", {
  entry: "text",
  at: "integer",
});
export const UNBLOCKS: Table<UnblockRow> = table<UnblockRow>("unblocks", {
  entry: "text",
  at: "integer",
});
export const ANNOUNCEMENTS: Table<AnnouncementRow> = table<AnnouncementRow>("announcements", {
  entry: "text",
  proxy: "text",
  owner: "text",
  by: "text",
  madeAt: "integer",
  exp: "integer",
  spentBy: "text",
});
export const STARTERS: Table<StarterRow> = table<StarterRow>("starters", {
  id: "text",
  owner: "text",
  proxy: "text",
  uid: "integer",
  since: "integer",
});
export const INSTALLATIONS: Table<InstallationRow> = table<InstallationRow>("installations", {
  agent: "text",
  entry: "text",
  anchor: "text",
  proxy: "text",
  since: "integer",
  retiredAt: "integer",
});
export const ASKS: Table<AskRow> = table<AskRow>("asks", {
  req: "text",
  id: "text",
  entry: "text",
  agent: "text",
  proxy: "text",
  anchor: "text",
  owner: "text",
  parties: "json",
  request: "text",
  facts: "json",
  appraisal: "json",
  reasons: "json",
  expected: "flag",
  run: "json",
  opened: "json",
  createdAt: "integer",
  deadline: "integer",
  state: "text",
  decidedAt: "integer",
  decidedBy: "text",
  cs: "text",
});
export const DIGITS: Table<DigitsRow> = table<DigitsRow>("digits", {
  req: "text",
  digits: "text",
  failures: "integer",
});
export const STATEMENTS: Table<StatementRow> = table<StatementRow>("statements", {
  jti: "text",
  req: "text",
  ownerJkt: "text",
  bytes: "blob",
  exp: "integer",
  authenticator: "json",
});
export const REGISTRATIONS: Table<RegistrationRow> = table<RegistrationRow>("registrations", {
  challenge: "text",
  owner: "text",
  exp: "integer",
});
export const CEREMONIES: Table<CeremonyRow> = table<CeremonyRow>("ceremonies", {
  req: "text",
  nonce: "text",
  statement: "blob",
  exp: "integer",
});
export const SIGNATURES: Table<SignatureRow> = table<SignatureRow>("signatures", {
  jti: "text",
  req: "text",
  n: "integer",
  owner: "text",
  ownerJkt: "text",
  ownerKind: "text",
  basis: "text",
  assurance: "integer",
  cs: "text",
  statement: "blob",
  signature: "json",
  key: "json",
  chain: "json",
  at: "integer",
});
export const GRANTS: Table<GrantRow> = table<GrantRow>("grants", {
  cs: "text",
  agent: "text",
  entry: "text",
  proxy: "text",
  owner: "text",
  ownerJkt: "text",
  ownerKind: "text",
  basis: "text",
  assurance: "integer",
  model: "text",
  statement: "blob",
  signature: "json",
  key: "json",
  chain: "json",
  parties: "json",
  nbf: "integer",
  exp: "integer",
  use: "text",
  maxIssue: "integer",
  maxLive: "integer",
  maxTtlSeconds: "integer",
  issued: "integer",
  endedAt: "integer",
  endedWhy: "text",
});
export const CREDENTIALS: Table<CredentialRow> = table<CredentialRow>("credentials", {
  jti: "text",
  cs: "text",
  agent: "text",
  entry: "text",
  proxy: "text",
  n: "integer",
  iat: "integer",
  exp: "integer",
  keyJkt: "text",
  end: "text",
  salts: "json",
  seq: "integer",
  log: "integer",
});
export const REQUESTS: Table<RequestRow> = table<RequestRow>("requests", {
  req: "text",
  proxy: "text",
  exp: "integer",
  epoch: "integer",
  outcome: "json",
  seq: "integer",
});
export const STOPS: Table<StopRow> = table<StopRow>("stops", {
  id: "text",
  scope: "text",
  target: "text",
  since: "integer",
  by: "text",
  reason: "text",
  liftedAt: "integer",
});
export const LOG: Table<LogRow> = table<LogRow>("log", {
  seq: "integer",
  type: "text",
  t: "integer",
  leaf: "blob",
  record: "blob",
  salts: "json",
});
export const FORMER_LOGS: Table<FormerLogRow> = table<FormerLogRow>("former_logs", {
  number: "integer",
  origin: "text",
  vkey: "text",
  checkpoint: "text",
  size: "integer",
  endedAt: "integer",
});
