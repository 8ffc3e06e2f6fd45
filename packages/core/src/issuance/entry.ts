import type { Digest, Seconds } from "../crypto.ts";
import { readCeiling } from "../consent/ceiling.ts";
import type { CeilingEntry } from "../consent/ceiling.ts";
import { MAX_PARTIES } from "../consent/parties.ts";
import { MAX_COUNT } from "../consent/statement-body.ts";
import { isDigest, Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";

/** What an approval for this entry is asked for, and its caps. Defaults: DESIGN 14. */
export interface GrantTerms {
  readonly use: "single" | "standing";
  /** Length of a standing grant; default 7 d, 24 h for a software key, cap 30 d. */
  readonly lengthSeconds?: Seconds;
  /** Longest life of one credential; 5 s … 1 h with an owner, 24 h without. */
  readonly maxTtlSeconds: Seconds;
  readonly maxLive: number;
  /** Default: twice what a steady renewal at `maxLive` needs. */
  readonly maxIssue?: number;
  readonly ceiling: readonly CeilingEntry[];
}

/** `m` of these owners, whose ids are sorted; at least two. */
export interface EntryParties {
  readonly m: number;
  readonly owners: readonly string[];
}

/** A registration entry: what one agent is, where it runs and what may be issued to it. Immutable; a change is a new version. */
export interface Entry {
  /** `spiffe://<td>/agent/<name>` */
  readonly id: string;
  /** `spiffe://<td>/proxy/<name>` */
  readonly proxy: string;
  readonly uid: number;
  readonly door: "run" | "fixed" | "unit";
  /** The systemd service whose processes come through a `unit` door: there exactly with that door. */
  readonly unit?: string;
  /** Permission bits of the socket of a fixed or unit door, in octal; default `0600`. Only the entry's uid is served. */
  readonly doorMode?: "0600" | "0660" | "0666";
  /** Paths of facts that must be present, below `submods`: `agent.countersign_proc.seccomp`. */
  readonly facts: readonly string[];
  readonly pins: readonly Digest[];
  readonly interpreterOptions: readonly string[];
  readonly manifest?: string;
  /** Base addresses that the agent may prove itself to; `["*"]` is any. */
  readonly audiences: readonly string[];
  readonly binding: "owner" | "none";
  /** Who is asked first, and the only one where `parties` is absent. */
  readonly owner?: string;
  /** How many of which owners must sign before anything is granted; `owner` is one of them. */
  readonly parties?: EntryParties;
  readonly grant: GrantTerms;
  /** `carried`: the server does not publish the evidence; the agent shows it. */
  readonly evidence: "public" | "carried";
  /**
   * `approval`: the certificate carries the approval part, for who sees nothing else; it is then kilobytes long, and
   * RADIUS servers cut its extension off. Absent: the certificate names the approval by its digest.
   */
  readonly x509Evidence?: "approval";
  readonly offlineProofs: boolean;
  /**
   * `agent`: the agent makes the credential's key and keeps it; absent: the proxy does. You lose: what the proxy holds
   * against – halts, audiences, the rate of proofs – binds the agent only until its credential expires.
   */
  readonly custody?: "agent";
  /** Lets the agent run as the proxy's user: a process of that user can then read the proxy's keys. */
  readonly insecureSameUid: boolean;
  /** Lets a software key approve standing grants longer than 24 h. */
  readonly insecureSoftKeyStanding: boolean;
}

export const MIN_TTL_SECONDS = 5;
export const OWNER_TTL_CAP_SECONDS = 3600;
export const UNBOUND_TTL_CAP_SECONDS = 86_400;
export const DEFAULT_MAX_TTL_SECONDS = 900;
export const DEFAULT_MAX_LIVE = 8;
export const GRANT_LENGTH_CAP_SECONDS: number = 30 * 86_400;
/**
 * A service of systemd, or an instance of a template; a template alone never runs. The characters of systemd.unit(5),
 * the backslash only where it escapes another one.
 */
const UNIT =
  /^(?:[A-Za-z0-9:_.-]|\\x[0-9a-f]{2})+(?:@(?:[A-Za-z0-9:_.-]|\\x[0-9a-f]{2})+)?\.service$/;
const MAX_UNIT_LENGTH = 255;
const OWNER_ID = /^urn:agent-owner:[a-z0-9._-]{1,255}:[A-Za-z0-9_-]{8,64}$/;

function readTerms(members: Members, binding: Entry["binding"]): GrantTerms {
  const ttlCap = binding === "owner" ? OWNER_TTL_CAP_SECONDS : UNBOUND_TTL_CAP_SECONDS;
  const lengthSeconds = members.optional("length", (name) =>
    members.integer(name, 60, GRANT_LENGTH_CAP_SECONDS),
  );
  const maxIssue = members.optional("max_issue", (name) => members.integer(name, 1, MAX_COUNT));
  const terms: GrantTerms = {
    use: members.choice("use", ["single", "standing"] as const),
    ...(lengthSeconds === undefined ? {} : { lengthSeconds }),
    maxTtlSeconds: members.integer("max_ttl", MIN_TTL_SECONDS, ttlCap),
    maxLive: members.integer("max_live", 1, 100_000),
    ...(maxIssue === undefined ? {} : { maxIssue }),
    ceiling: members.list("ceiling", (item) => readCeiling(item, "malformed_request"), 32),
  };
  members.end();
  return terms;
}

function readAudience(item: Json): string {
  if (item === "*") return item;
  if (
    typeof item !== "string" ||
    item.length > 512 ||
    !/^https?:\/\/[^\s"<>\\^`{|}#?]+$/.test(item)
  )
    throw new Refusal(
      "malformed_request",
      "an audience is an https address without query and fragment, or *",
    );
  return item;
}

function readText(item: Json): string {
  if (typeof item !== "string" || item === "" || item.length > 256)
    throw new Refusal("malformed_request", "list item is not a short string");
  return item;
}

function readParties(members: Members, owner: string | undefined): EntryParties {
  const owners = members.list(
    "owners",
    (item) =>
      typeof item === "string" && OWNER_ID.test(item)
        ? item
        : members.fail("owners", "holds something that is no owner id"),
    MAX_PARTIES,
  );
  owners.forEach((id, i) => {
    const before = owners[i - 1];
    if (before !== undefined && before >= id) members.fail("owners", "is not sorted and unique");
  });
  if (owner === undefined || !owners.includes(owner)) members.fail("owners", "lacks owner");
  const parties = { m: members.integer("m", 2, MAX_PARTIES), owners };
  if (parties.m > owners.length) members.fail("m", "is more than there are owners");
  members.end();
  return parties;
}

type DoorMembers = Pick<Entry, "door" | "unit" | "doorMode">;

function readDoor(members: Members): DoorMembers {
  const door = members.choice("door", ["run", "fixed", "unit"] as const);
  const unit = members.optional("unit", (name) =>
    members.text(name, { pattern: UNIT, maxLength: MAX_UNIT_LENGTH }),
  );
  if ((unit !== undefined) !== (door === "unit"))
    members.fail("unit", "must be there exactly when door is unit");
  const doorMode = members.optional("door_mode", (name) =>
    members.choice(name, ["0600", "0660", "0666"] as const),
  );
  if (doorMode !== undefined && door === "run")
    members.fail("door_mode", "belongs to a door that is always there");
  return {
    door,
    ...(unit === undefined ? {} : { unit }),
    ...(doorMode === undefined ? {} : { doorMode }),
  };
}

/**
 * Reads an entry as it stands on the wire (members as DESIGN 2 names them). Closed.
 * @throws Refusal `malformed_request`
 */
export function readEntry(value: Json | undefined): Entry {
  const members = new Members(value, "malformed_request", "entry");
  const binding = members.choice("binding", ["owner", "none"] as const);
  const owner = members.optional("owner", (name) =>
    members.text(name, { pattern: OWNER_ID, maxLength: 512 }),
  );
  if ((owner !== undefined) !== (binding === "owner"))
    members.fail("owner", "must be there exactly when binding is owner");
  const parties = members.optional("parties", (name) => readParties(members.object(name), owner));
  const manifest = members.optional("manifest", (name) => members.text(name, { maxLength: 1024 }));
  const custody = members.optional("custody", (name) => members.choice(name, ["agent"] as const));
  const x509Evidence = members.optional("x509_evidence", (name) =>
    members.choice(name, ["approval"] as const),
  );
  if (x509Evidence !== undefined && binding !== "owner")
    members.fail("x509_evidence", "is an owner's, and binding is none");
  const offlineProofs = members.flag("offline_proofs");
  if (custody === "agent" && !offlineProofs)
    members.fail("offline_proofs", "cannot be withheld by a proxy that has no key");
  const entry: Entry = {
    id: members.text("id", {
      pattern: /^[a-z]+:\/\/[a-z0-9._-]{1,255}\/agent\/[a-z0-9][a-z0-9._-]{0,62}$/,
    }),
    proxy: members.text("proxy", {
      pattern: /^[a-z]+:\/\/[a-z0-9._-]{1,255}\/proxy\/[a-z0-9][a-z0-9._-]{0,62}$/,
    }),
    uid: members.integer("uid", 0, 0xffff_fffe),
    ...readDoor(members),
    facts: members.list("facts", readText, 32),
    pins: members.list(
      "pins",
      (item) =>
        isDigest(item) ? item : members.fail("pins", "holds something that is not a digest"),
      64,
    ),
    interpreterOptions: members.list("interpreter_options", readText, 32),
    ...(manifest === undefined ? {} : { manifest }),
    audiences: members.list("audiences", readAudience, 64),
    binding,
    ...(owner === undefined ? {} : { owner }),
    ...(parties === undefined ? {} : { parties }),
    grant: readTerms(members.object("grant"), binding),
    evidence: members.choice("evidence", ["public", "carried"] as const),
    ...(x509Evidence === undefined ? {} : { x509Evidence }),
    offlineProofs,
    ...(custody === undefined ? {} : { custody }),
    insecureSameUid: members.flag("insecure_same_uid"),
    insecureSoftKeyStanding: members.flag("insecure_soft_key_standing"),
  };
  if (entry.audiences.length === 0) members.fail("audiences", 'is required; write ["*"] for any');
  members.end();
  return entry;
}

/** The wire form of an entry; `readEntry` reads it back to the same value. */
export function writeEntry(entry: Entry): object {
  return {
    id: entry.id,
    proxy: entry.proxy,
    uid: entry.uid,
    door: entry.door,
    ...(entry.unit === undefined ? {} : { unit: entry.unit }),
    ...(entry.doorMode === undefined ? {} : { door_mode: entry.doorMode }),
    facts: entry.facts,
    pins: entry.pins,
    interpreter_options: entry.interpreterOptions,
    ...(entry.manifest === undefined ? {} : { manifest: entry.manifest }),
    audiences: entry.audiences,
    binding: entry.binding,
    ...(entry.owner === undefined ? {} : { owner: entry.owner }),
    ...(entry.parties === undefined ? {} : { parties: entry.parties }),
    grant: {
      use: entry.grant.use,
      ...(entry.grant.lengthSeconds === undefined ? {} : { length: entry.grant.lengthSeconds }),
      max_ttl: entry.grant.maxTtlSeconds,
      max_live: entry.grant.maxLive,
      ...(entry.grant.maxIssue === undefined ? {} : { max_issue: entry.grant.maxIssue }),
      ceiling: entry.grant.ceiling,
    },
    evidence: entry.evidence,
    ...(entry.x509Evidence === undefined ? {} : { x509_evidence: entry.x509Evidence }),
    offline_proofs: entry.offlineProofs,
    ...(entry.custody === undefined ? {} : { custody: entry.custody }),
    insecure_same_uid: entry.insecureSameUid,
    insecure_soft_key_standing: entry.insecureSoftKeyStanding,
  };
}
