import type { Digest, Seconds } from "../crypto.ts";
import { MEASUREMENT_NAMES } from "../evidence/eat.ts";
import type { MeasurementName } from "../evidence/eat.ts";
import { parseName } from "../identifier/workload.ts";
import { isDigest, Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { readCeiling } from "./ceiling.ts";
import type { CeilingEntry } from "./ceiling.ts";
import { MAX_COUNT } from "./statement-body.ts";

/** Which registrations a rule is about: one id, or every id that begins so. */
export interface EntryPattern {
  readonly text: string;
  readonly isPrefix: boolean;
}

/** What an owner without a person signs by itself. Every member is a bound; what lies outside of one is left. */
export interface PolicyRule {
  /** Names the rule in what is said and counted. */
  readonly name: string;
  readonly entries: readonly EntryPattern[];
  /** Ids of proxies. A statement for any host fits no rule. */
  readonly hosts: readonly string[];
  /** Digests that each measurement may have. A statement must have exactly these names. */
  readonly measurements: ReadonlyMap<MeasurementName, ReadonlySet<Digest>>;
  /** Thumbprints of installations that a person has looked at: a server can say that a host and a program are any. */
  readonly installationKeys: ReadonlySet<string>;
  /**
   * You lose: an installation of its own that a server puts on a listed host, under a listed program, is signed for. Its
   * word is then all there is.
   */
  readonly insecureAnyInstallation: boolean;
  /** Each entry of the statement's ceiling must lie inside one of these. */
  readonly ceiling: readonly CeilingEntry[];
  /** Whether a statement without a ceiling fits: any service that the registration allows. */
  readonly isAnyService: boolean;
  readonly use: readonly ("single" | "standing")[];
  /** From now to the end of the grant. */
  readonly longestGrantSeconds: Seconds;
  readonly maxTtlSeconds: Seconds;
  readonly maxIssue: number;
  readonly maxLive: number;
  /** At most so many signatures by this rule within any window of so many seconds. */
  readonly rate: { readonly count: number; readonly windowSeconds: Seconds };
  /** You lose: what the server's appraisal warns of is signed without anybody having seen it. */
  readonly insecureIgnoreWarnings: boolean;
}

/** The rules document of a policy engine, version 1. */
export interface PolicyRules {
  /** `aud` of every statement that is signed. */
  readonly issuer: string;
  /** The first one that fits signs. */
  readonly rules: readonly PolicyRule[];
}

const MAX_RULES = 100;
const MAX_ENTRIES = 100;
const MAX_DIGESTS = 256;
const MAX_GRANT_SECONDS = 30 * 86_400;
const MAX_TTL_SECONDS = 3600;
const MAX_WINDOW_SECONDS = 31 * 86_400;
/** Most signatures in one window; their instants are kept. */
const MAX_RATE = 1000;

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;
const ISSUER = /^https:\/\/[^\s?#]{1,500}$/;
const PREFIX = /^(?:spiffe|wimse):\/\/[a-z0-9._-]{1,255}\/agent\/[a-z0-9._-]{0,63}\*$/;

function isNamed(text: string, kind: "entry" | "proxy"): boolean {
  try {
    return parseName(text).kind === kind;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** Items of a list that must not be empty, each read with its place. */
function some<T>(
  members: Members,
  name: string,
  maxItems: number,
  read: (item: Json) => T | undefined,
  what: string,
): readonly T[] {
  const items = members.list(
    name,
    (item, where) => {
      const found = read(item);
      if (found !== undefined) return found;
      throw new Refusal("configuration_invalid", `${where} is not ${what}`);
    },
    maxItems,
  );
  return items.length > 0 ? items : members.fail(name, "is empty");
}

function readPattern(item: Json): EntryPattern | undefined {
  if (typeof item !== "string") return undefined;
  if (PREFIX.test(item)) return { text: item.slice(0, -1), isPrefix: true };
  return isNamed(item, "entry") ? { text: item, isPrefix: false } : undefined;
}

const readHost = (item: Json): string | undefined =>
  typeof item === "string" && isNamed(item, "proxy") ? item : undefined;
const readDigest = (item: Json): Digest | undefined => (isDigest(item) ? item : undefined);
const readThumbprint = (item: Json): string | undefined =>
  typeof item === "string" && THUMBPRINT.test(item) ? item : undefined;
const readUse = (item: Json): "single" | "standing" | undefined =>
  item === "single" || item === "standing" ? item : undefined;

function readMeasurements(members: Members): PolicyRule["measurements"] {
  const measurements = new Map<MeasurementName, ReadonlySet<Digest>>();
  for (const name of MEASUREMENT_NAMES) {
    const digests = members.optional(name, () =>
      some(members, name, MAX_DIGESTS, readDigest, "a sha-256 digest"),
    );
    if (digests !== undefined) measurements.set(name, new Set(digests));
  }
  if (!measurements.has("binary")) members.fail("binary", "is missing");
  members.end();
  return measurements;
}

/** As the reader of ceilings has it, with the place in this document. */
function readAllowed(item: Json, where: string): CeilingEntry {
  try {
    return readCeiling(item, "configuration_invalid");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const why = error.message.replace(/^configuration_invalid: ceiling/, "");
    throw new Refusal("configuration_invalid", `${where}${why}`);
  }
}

function readRate(members: Members): PolicyRule["rate"] {
  const rate = {
    count: members.integer("count", 1, MAX_RATE),
    windowSeconds: members.integer("window_seconds", 1, MAX_WINDOW_SECONDS),
  };
  members.end();
  return rate;
}

function readRule(value: Json, where: string): PolicyRule {
  const members = new Members(value, "configuration_invalid", where);
  const flag = (name: string): boolean => members.optional(name, () => members.flag(name)) ?? false;
  const rule: PolicyRule = {
    name: members.text("name", { pattern: NAME }),
    entries: some(members, "entries", MAX_ENTRIES, readPattern, "the id of a registration"),
    hosts: some(members, "hosts", MAX_ENTRIES, readHost, "the id of a proxy"),
    measurements: readMeasurements(members.object("measurements")),
    installationKeys: new Set(
      members.optional("installation_keys", (name) =>
        some(members, name, MAX_DIGESTS, readThumbprint, "a thumbprint of 43 characters"),
      ) ?? [],
    ),
    insecureAnyInstallation: flag("insecure_any_installation"),
    ceiling: members.list("ceiling", readAllowed, 32),
    isAnyService: flag("any_service"),
    use: some(members, "use", 2, readUse, "single or standing"),
    longestGrantSeconds: members.integer("longest_grant_seconds", 60, MAX_GRANT_SECONDS),
    maxTtlSeconds: members.integer("max_ttl_seconds", 5, MAX_TTL_SECONDS),
    maxIssue: members.integer("max_issue", 1, MAX_COUNT),
    maxLive: members.integer("max_live", 1, MAX_COUNT),
    rate: readRate(members.object("rate")),
    insecureIgnoreWarnings: flag("insecure_ignore_warnings"),
  };
  members.end();
  if (rule.installationKeys.size === 0 && !rule.insecureAnyInstallation)
    members.fail(
      "installation_keys",
      "is missing: list those that a person has looked at, or say insecure_any_installation: true",
    );
  if (rule.ceiling.length === 0 && !rule.isAnyService)
    members.fail("ceiling", "is empty, and any_service is not true: nothing would fit");
  return rule;
}

/**
 * Reads the rules of a policy engine. Closed: a bound that is misspelt would be no bound.
 * @throws Refusal `configuration_invalid`, whose words begin with the path of the member
 */
export function readPolicyRules(value: Json): PolicyRules {
  const members = new Members(value, "configuration_invalid", "policy");
  members.integer("v", 1, 1);
  const issuer = members.text("issuer", { pattern: ISSUER });
  const rules = members.list("rules", readRule, MAX_RULES);
  members.end();
  if (rules.length === 0) members.fail("rules", "is empty");
  rules.forEach(({ name }, index) => {
    if (rules.findIndex((rule) => rule.name === name) !== index)
      members.fail(`rules[${index}].name`, "stands twice: its signatures could not be counted");
  });
  return { issuer, rules };
}
