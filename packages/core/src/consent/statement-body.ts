import type { Crypto, Jwk, Seconds } from "../crypto.ts";
import { equalBytes, fromBase64url } from "../bytes.ts";
import { MEASUREMENT_NAMES } from "../evidence/eat.ts";
import { parseOwnerId } from "../identifier/owner.ts";
import {
  parseName,
  parseNameSegment,
  parseTrustDomain,
  parseWorkloadId,
} from "../identifier/workload.ts";
import { thumbprint } from "../jose/jwk.ts";
import { Members } from "../json/read.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { jwkOfSpki, spkiOf } from "../x509/spki.ts";
import { readCeiling } from "./ceiling.ts";
import { DIGITS } from "./digits.ts";
import { readParties } from "./parties.ts";
import type {
  CredentialStatement,
  GrantBounds,
  KeyStatement,
  Measurement,
  StatementCommon,
  StatementOptions,
  StatementView,
} from "./statement.ts";

const CEREMONY_SECONDS = 3600;
const PRE_SIGNED_SECONDS = 7 * 86_400;
const MAX_GRANT_SECONDS = 30 * 86_400;
const SINGLE_GRANT_SECONDS = 3600;
const MIN_TTL_SECONDS = 5;
const MAX_TTL_SECONDS = 3600;
/** The last second of the year 9999: every instant here has a date that can be shown. */
const MAX_INSTANT = 253_402_300_799;
/** Most credentials of one approval, in all and at a time. */
export const MAX_COUNT = 10_000_000;
const MAX_CEILING_ENTRIES = 32;
const NONCE_BYTES = 16;

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ISSUER = /^https:\/\/[a-z0-9.-]+(:[1-9][0-9]{0,4})?(\/[A-Za-z0-9._~-]+)*\/?$/;
const TEMPLATE = /^[a-z][a-z-]{0,31}\/[1-9][0-9]{0,3}$/;
const LOCALE = /^[a-z]{2,3}(-[A-Z]{2})?$/;
const APPLICATION = /^[\x21-\x7e]{1,255}$/;

function fail(why: string): never {
  throw new Refusal("statement_invalid", why);
}

/** Runs a reader of another subject and gives its refusal the code of statements. */
function within<T>(where: string, reader: () => T): T {
  try {
    return reader();
  } catch (problem) {
    if (problem instanceof Refusal) return fail(`${where}: ${problem.message}`);
    throw problem;
  }
}

function instant(members: Members, name: string): Seconds {
  return members.integer(name, 0, MAX_INSTANT);
}

/** Of an agent's id the form is judged here; that it ends in the anchor's prefix belongs to the chain check. */
function checkAgentId(id: string, td: string): void {
  const { trustDomain, segments } = within("agent.id", () => parseWorkloadId(id));
  if (trustDomain !== td) fail("agent.id is of another trust domain");
  if (segments[0] !== "agent" || segments.length !== 3) fail("agent.id is not the id of an agent");
  within("agent.id", () => parseNameSegment(segments[1]));
}

function checkHost(host: string, td: string): void {
  const name = within("agent.host", () => parseName(host));
  if (name.kind !== "proxy" || name.td !== td)
    fail("agent.host is not a proxy of the trust domain");
}

function readNonce(members: Members, isPreSigned: boolean): string {
  const nonce = members.text("nonce", { maxLength: 86 });
  const length = within("nonce", () => fromBase64url(nonce)).length;
  const fits = isPreSigned ? length >= 8 && length <= 64 : length === NONCE_BYTES;
  return fits ? nonce : members.fail("nonce", "has a bad length");
}

function readOwner(members: Members, td: string): StatementCommon["owner"] {
  const id = members.text("id", { maxLength: 512 });
  if (within("owner.id", () => parseOwnerId(id)).trustDomain !== td)
    members.fail("id", "is of another trust domain");
  const owner = { id, jkt: members.thumbprint("jkt") };
  members.end();
  return owner;
}

function readCommon(members: Members, options: StatementOptions): StatementCommon {
  const isPreSigned = options.preSigned === true;
  const td = within("td", () => parseTrustDomain(members.raw("td")));
  const jti = members.text("jti", { maxLength: 36 });
  if (!ULID.test(jti) && !UUID_V7.test(jti)) members.fail("jti", "is neither a ULID nor a UUIDv7");
  const common: StatementCommon = {
    typ: members.choice("typ", ["agent-consent/1"] as const),
    decision: members.choice("decision", ["approve", "deny"] as const),
    jti,
    aud: members.text("aud", { pattern: ISSUER, maxLength: 512 }),
    td,
    iat: instant(members, "iat"),
    exp: instant(members, "exp"),
    nonce: readNonce(members, isPreSigned),
    owner: readOwner(members.object("owner"), td),
  };
  const life = common.exp - common.iat;
  if (life <= 0 || life > (isPreSigned ? PRE_SIGNED_SECONDS : CEREMONY_SECONDS))
    members.fail("exp", "does not follow iat within the longest ceremony");
  return common;
}

function readMeasurement(value: Json, where: string): Measurement {
  const members = new Members(value, "statement_invalid", where);
  const measurement = { n: members.choice("n", MEASUREMENT_NAMES), d: members.digest("d") };
  members.end();
  return measurement;
}

function readAgent(members: Members, td: string): CredentialStatement["agent"] {
  const id = members.text("id", { maxLength: 512 });
  checkAgentId(id, td);
  const host = members.optional("host", (name) => members.text(name, { maxLength: 512 }));
  if (host !== undefined) checkHost(host, td);
  const meas = members.list("meas", readMeasurement, MEASUREMENT_NAMES.length);
  meas.forEach((item, i) => {
    const before = meas[i - 1];
    if (before !== undefined && before.n >= item.n)
      members.fail("meas", "is not sorted and unique");
  });
  if (!meas.some((item) => item.n === "binary")) members.fail("meas", "lacks binary");
  const jkt = members.thumbprint("jkt");
  members.end();
  return { id, jkt, meas, ...(host === undefined ? {} : { host }) };
}

function readGrant(members: Members, td: string): GrantBounds {
  const parties = members.optional("parties", (name) =>
    within("grant.parties", () => readParties(members.object(name), td)),
  );
  const grant: GrantBounds = {
    use: members.choice("use", ["single", "standing"] as const),
    nbf: instant(members, "nbf"),
    exp: instant(members, "exp"),
    max_ttl: members.integer("max_ttl", MIN_TTL_SECONDS, MAX_TTL_SECONDS),
    max_issue: members.integer("max_issue", 1, MAX_COUNT),
    max_live: members.integer("max_live", 1, MAX_COUNT),
    rekey: members.choice("rekey", ["endorsed"] as const),
    ceiling: members.list(
      "ceiling",
      (item) => readCeiling(item, "statement_invalid"),
      MAX_CEILING_ENTRIES,
    ),
    ...(parties === undefined ? {} : { parties }),
  };
  members.end();
  const length = grant.exp - grant.nbf;
  if (length <= 0 || length > MAX_GRANT_SECONDS)
    members.fail("exp", "does not follow nbf within 30 days");
  if (grant.use === "single" && (grant.max_issue !== 1 || length > SINGLE_GRANT_SECONDS))
    members.fail("use", "is single, with more than one credential or more than an hour");
  return grant;
}

/** Nobody can gather the signatures of several owners before anybody has asked. */
function checkParties({ grant, owner }: CredentialStatement, isPreSigned: boolean): void {
  const { parties } = grant;
  if (parties === undefined) return;
  if (isPreSigned) fail("grant.parties cannot be signed beforehand");
  if (!parties.owners.some(({ id, jkt }) => id === owner.id && jkt === owner.jkt))
    fail("owner is none of grant.parties");
}

function readView(members: Members): StatementView {
  const match = members.optional("match", (name) => members.text(name, { pattern: DIGITS }));
  const view = {
    tpl: members.text("tpl", { pattern: TEMPLATE }),
    loc: members.text("loc", { pattern: LOCALE }),
    d: members.digest("d"),
    ...(match === undefined ? {} : { match }),
  };
  members.end();
  return view;
}

/** The key in `spki`, of a kind that enrols, in the one spelling that DER has for it. */
function readOwnerSpki(text: string): Jwk {
  const spki = fromBase64url(text);
  const jwk = jwkOfSpki(spki);
  if (jwk.crv !== "P-256" && jwk.crv !== "Ed25519") fail(`keys of ${jwk.crv} do not enrol`);
  if (!equalBytes(spkiOf(jwk), spki)) fail("key.spki is not DER");
  return jwk;
}

function readKey(c: Crypto, members: Members): KeyStatement["key"] {
  const app = members.optional("app", (name) => members.text(name, { pattern: APPLICATION }));
  const spki = members.text("spki", { maxLength: 256 });
  const jwk = within("key.spki", () => readOwnerSpki(spki));
  const key = {
    op: members.choice("op", ["add"] as const),
    jkt: members.thumbprint("jkt"),
    kind: members.choice("kind", ["person", "device", "policy"] as const),
    spki,
    ...(app === undefined ? {} : { app }),
  };
  if (!c.isValidKey(jwk)) members.fail("spki", "is not a point of its curve");
  if (thumbprint(c, jwk) !== key.jkt) members.fail("jkt", "is not the thumbprint of spki");
  members.end();
  return key;
}

/**
 * Reads what a statement says. Closed at every level; members of another kind are unknown members.
 * @throws Refusal `statement_invalid`
 */
export function readBody(
  c: Crypto,
  json: JsonObject,
  options: StatementOptions,
): CredentialStatement | KeyStatement {
  const members = new Members(json, "statement_invalid", "statement");
  const kind = members.choice("kind", ["credential", "key"] as const);
  const common = readCommon(members, options);
  if (kind === "key") {
    const key = readKey(c, members.object("key"));
    if (key.jkt !== common.owner.jkt)
      members.fail("key", "is not the key that the owner signs with");
    members.end();
    return { ...common, kind, key };
  }
  const body: CredentialStatement = {
    ...common,
    kind,
    agent: readAgent(members.object("agent"), common.td),
    req: members.digest("req"),
    grant: readGrant(members.object("grant"), common.td),
    view: readView(members.object("view")),
  };
  members.end();
  checkParties(body, options.preSigned === true);
  return body;
}
