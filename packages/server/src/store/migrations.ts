import { Refusal } from "@countersign/core";
import type { Sqlite } from "./sqlite.ts";

/** "CSGN": marks the file as ours. */
const APPLICATION_ID = 0x4353474e;

/**
 * Forward only: a released one is never edited, the next one is appended. Times are seconds; JSON and names as in
 * `rows.ts`, columns in snake case.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('epoch', 1), ('bundle_sequence', 1);

  CREATE TABLE log (
    seq INTEGER PRIMARY KEY, type TEXT NOT NULL, t INTEGER NOT NULL, leaf BLOB NOT NULL, record BLOB,
    salts TEXT NOT NULL) STRICT;

  CREATE TABLE once (
    kind TEXT NOT NULL, value TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (kind, value)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX once_until ON once (until);

  CREATE TABLE entries (
    id TEXT PRIMARY KEY, proxy TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
    version INTEGER NOT NULL, removed_at INTEGER) STRICT;
  CREATE INDEX entries_proxy ON entries (proxy);

  CREATE TABLE proxies (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, state TEXT NOT NULL, live_serial TEXT NOT NULL,
    live_jkt TEXT NOT NULL, live_jwk TEXT NOT NULL, not_after INTEGER NOT NULL, enrolled_at INTEGER NOT NULL,
    forked_at INTEGER, development INTEGER) STRICT;
  CREATE TABLE certificates (
    serial TEXT PRIMARY KEY, proxy TEXT NOT NULL, jkt TEXT NOT NULL, not_after INTEGER NOT NULL,
    state TEXT NOT NULL) STRICT;
  CREATE INDEX certificates_jkt ON certificates (jkt);
  CREATE TABLE join_tokens (
    hash TEXT PRIMARY KEY, proxy TEXT NOT NULL, exp INTEGER NOT NULL, "replace" INTEGER NOT NULL,
    used_by TEXT) STRICT;

  CREATE TABLE owners (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
  CREATE TABLE owner_keys (
    jkt TEXT PRIMARY KEY, owner TEXT NOT NULL, jwk TEXT NOT NULL, kind TEXT NOT NULL, comment TEXT NOT NULL,
    app TEXT, spki TEXT NOT NULL, basis TEXT NOT NULL, statement BLOB NOT NULL, sigs TEXT NOT NULL,
    counter INTEGER, added_at INTEGER NOT NULL, removed_at INTEGER, suspended_at INTEGER) STRICT;
  CREATE INDEX owner_keys_owner ON owner_keys (owner);

  CREATE TABLE installations (
    agent TEXT PRIMARY KEY, entry TEXT NOT NULL, anchor TEXT NOT NULL UNIQUE, proxy TEXT NOT NULL,
    since INTEGER NOT NULL, retired_at INTEGER) STRICT;
  CREATE UNIQUE INDEX installations_one ON installations (entry) WHERE retired_at IS NULL;

  CREATE TABLE asks (
    req TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, entry TEXT NOT NULL, agent TEXT NOT NULL, proxy TEXT NOT NULL,
    anchor TEXT NOT NULL, owner TEXT NOT NULL, request TEXT, facts TEXT NOT NULL, appraisal TEXT NOT NULL,
    reasons TEXT NOT NULL, expected INTEGER NOT NULL, created_at INTEGER NOT NULL, deadline INTEGER NOT NULL,
    state TEXT NOT NULL, decided_at INTEGER, cs TEXT) STRICT;
  CREATE UNIQUE INDEX asks_one ON asks (entry) WHERE state = 'asked';
  CREATE INDEX asks_owner ON asks (owner, state);
  CREATE INDEX asks_proxy ON asks (proxy, state);
  CREATE INDEX asks_entry ON asks (entry, created_at);
  CREATE TABLE statements (
    jti TEXT PRIMARY KEY, req TEXT NOT NULL, owner_jkt TEXT NOT NULL, bytes BLOB NOT NULL,
    exp INTEGER NOT NULL) STRICT;

  CREATE TABLE grants (
    cs TEXT PRIMARY KEY, agent TEXT NOT NULL, entry TEXT NOT NULL, proxy TEXT NOT NULL, owner TEXT NOT NULL,
    owner_jkt TEXT NOT NULL, owner_kind TEXT NOT NULL, basis TEXT NOT NULL, assurance INTEGER NOT NULL,
    statement BLOB NOT NULL, signature TEXT NOT NULL, key TEXT NOT NULL, nbf INTEGER NOT NULL,
    exp INTEGER NOT NULL, use TEXT NOT NULL, max_issue INTEGER NOT NULL, max_live INTEGER NOT NULL,
    max_ttl_seconds INTEGER NOT NULL, issued INTEGER NOT NULL, ended_at INTEGER, ended_why TEXT) STRICT;
  CREATE INDEX grants_agent ON grants (agent, exp) WHERE ended_at IS NULL;
  CREATE INDEX grants_proxy ON grants (proxy, exp) WHERE ended_at IS NULL;
  CREATE INDEX grants_owner ON grants (owner);
  CREATE TABLE credentials (
    jti TEXT PRIMARY KEY, cs TEXT, agent TEXT NOT NULL, entry TEXT NOT NULL, proxy TEXT NOT NULL, n INTEGER,
    iat INTEGER NOT NULL, exp INTEGER NOT NULL, key_jkt TEXT NOT NULL UNIQUE, "end" TEXT, salts TEXT NOT NULL,
    seq INTEGER NOT NULL) STRICT;
  CREATE UNIQUE INDEX credentials_ordinal ON credentials (cs, n) WHERE cs IS NOT NULL;
  CREATE INDEX credentials_live ON credentials (cs, exp);
  CREATE INDEX credentials_agent ON credentials (agent, exp);

  CREATE TABLE requests (
    req TEXT PRIMARY KEY, proxy TEXT NOT NULL, exp INTEGER NOT NULL, epoch INTEGER NOT NULL,
    outcome TEXT NOT NULL, seq INTEGER) STRICT;
  CREATE INDEX requests_exp ON requests (exp);
  CREATE TABLE stops (
    id TEXT PRIMARY KEY, scope TEXT NOT NULL, target TEXT NOT NULL, since INTEGER NOT NULL, "by" TEXT NOT NULL,
    reason TEXT NOT NULL, lifted_at INTEGER) STRICT;
  CREATE INDEX stops_in_force ON stops (scope, target) WHERE lifted_at IS NULL;
  `,
  // A log that was recovered from goes on as another one: its rows stay, under its number.
  `
  INSERT INTO meta VALUES ('log_number', 1);
  CREATE TABLE former_logs (
    number INTEGER PRIMARY KEY, origin TEXT NOT NULL, vkey TEXT NOT NULL, checkpoint TEXT, size INTEGER NOT NULL,
    ended_at INTEGER NOT NULL) STRICT;
  CREATE TABLE former_log (
    number INTEGER NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, t INTEGER NOT NULL, leaf BLOB NOT NULL,
    record BLOB, salts TEXT NOT NULL, PRIMARY KEY (number, seq)) STRICT, WITHOUT ROWID;
  ALTER TABLE credentials ADD COLUMN log INTEGER NOT NULL DEFAULT 1;
  `,
  // Whose key it is must be known at every request, however many proxies and questions there are.
  `
  CREATE INDEX proxies_live_jkt ON proxies (live_jkt);
  CREATE INDEX asks_anchor ON asks (anchor);
  `,
  // Approvals come in more than one way, and a credential says which.
  `
  ALTER TABLE grants ADD COLUMN model TEXT NOT NULL DEFAULT 'server';
  `,
  // How an owner's key was added goes with what it approves, and the log proves it.
  `
  ALTER TABLE owner_keys ADD COLUMN seq INTEGER;
  ALTER TABLE owner_keys ADD COLUMN log INTEGER;
  ALTER TABLE grants ADD COLUMN chain TEXT;
  `,
  // A gateway speaks for proxies, and for owners, that an administrator has named.
  `
  CREATE TABLE gateways (
    id TEXT PRIMARY KEY, owners TEXT NOT NULL, proxies TEXT NOT NULL, registered_at INTEGER NOT NULL) STRICT;
  `,
  // A passkey is made by a ceremony of its own, and what its authenticator said is kept with it.
  `
  CREATE TABLE registrations (challenge TEXT PRIMARY KEY, owner TEXT NOT NULL, exp INTEGER NOT NULL) STRICT;
  ALTER TABLE owner_keys ADD COLUMN authenticator TEXT;
  ALTER TABLE statements ADD COLUMN authenticator TEXT;
  `,
  // Some agents take several owners: what each has signed is kept until enough have, and then goes with the grant.
  `
  ALTER TABLE asks ADD COLUMN parties TEXT;
  ALTER TABLE grants ADD COLUMN parties TEXT;
  CREATE INDEX asks_several ON asks (state) WHERE parties IS NOT NULL;
  CREATE TABLE ceremonies (
    req TEXT PRIMARY KEY, nonce TEXT NOT NULL, statement BLOB NOT NULL, exp INTEGER NOT NULL) STRICT;
  CREATE TABLE signatures (
    jti TEXT PRIMARY KEY, req TEXT NOT NULL, n INTEGER NOT NULL, owner TEXT NOT NULL, owner_jkt TEXT NOT NULL,
    owner_kind TEXT NOT NULL, basis TEXT NOT NULL, assurance INTEGER NOT NULL, cs TEXT NOT NULL,
    statement BLOB NOT NULL, signature TEXT NOT NULL, key TEXT NOT NULL, chain TEXT, at INTEGER NOT NULL,
    UNIQUE (req, n), UNIQUE (req, owner)) STRICT;
  CREATE INDEX signatures_cs ON signatures (cs);
  CREATE INDEX signatures_key ON signatures (owner_jkt);
  `,
  // Owners who have lost their keys stop what is theirs by printed codes, and come back by a recovery.
  `
  CREATE TABLE stop_codes (
    hash TEXT PRIMARY KEY, owner TEXT NOT NULL, made_at INTEGER NOT NULL, used_at INTEGER) STRICT, WITHOUT ROWID;
  CREATE INDEX stop_codes_owner ON stop_codes (owner);
  CREATE TABLE recoveries (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, jkt TEXT NOT NULL, key TEXT NOT NULL, statement BLOB NOT NULL,
    announced_at INTEGER NOT NULL, enabled_at INTEGER NOT NULL, state TEXT NOT NULL, decided_at INTEGER) STRICT;
  CREATE UNIQUE INDEX recoveries_one ON recoveries (owner) WHERE state = 'announced';
  CREATE INDEX recoveries_jkt ON recoveries (jkt);
  CREATE TABLE unblocks (entry TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // What a company's CA says of an owner's key goes with what the key approves.
  `
  ALTER TABLE owner_keys ADD COLUMN x5c TEXT;
  `,
  // Who signs in is found by what his passkey calls itself.
  `
  CREATE INDEX owner_keys_credential ON owner_keys (json_extract(authenticator, '$.credential'));
  `,
  // A person's first key is made on the console's pages, by a code that is good once; he is asked about keys of others.
  `
  CREATE TABLE invitations (
    hash TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, "by" TEXT NOT NULL,
    made_at INTEGER NOT NULL, exp INTEGER NOT NULL, used_at INTEGER, jkt TEXT, cancelled_at INTEGER) STRICT;
  CREATE INDEX invitations_owner ON invitations (owner);
  ALTER TABLE owner_keys ADD COLUMN known_by TEXT;
  `,
  // What an owner has announced is expected, and so are the runs of users whom he has listed.
  `
  ALTER TABLE asks ADD COLUMN run TEXT;
  CREATE TABLE announcements (
    entry TEXT PRIMARY KEY, proxy TEXT NOT NULL, owner TEXT NOT NULL, "by" TEXT NOT NULL, made_at INTEGER NOT NULL,
    exp INTEGER NOT NULL, spent_by TEXT) STRICT, WITHOUT ROWID;
  CREATE TABLE starters (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, proxy TEXT NOT NULL, uid INTEGER NOT NULL,
    since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX starters_proxy ON starters (proxy);
  `,
  // Whom his owner has blocked does not ask, whatever else was decided.
  `
  CREATE TABLE blocks (entry TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // Browsers that take notices. One goes with the key of the session that made it, in whichever way the key goes.
  `
  CREATE TABLE push_subscriptions (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, jkt TEXT NOT NULL, endpoint TEXT NOT NULL UNIQUE, p256dh TEXT NOT NULL,
    auth TEXT NOT NULL, name TEXT NOT NULL, made_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX push_subscriptions_owner ON push_subscriptions (owner);
  CREATE INDEX push_subscriptions_key ON push_subscriptions (jkt);
  CREATE TRIGGER push_subscriptions_end AFTER UPDATE OF removed_at, suspended_at ON owner_keys
  WHEN new.removed_at IS NOT NULL OR new.suspended_at IS NOT NULL
  BEGIN DELETE FROM push_subscriptions WHERE jkt = new.jkt; END;
  `,
  // Owners are told of what waits: a cursor on the log, from now on, and what is not delivered yet.
  `
  CREATE TABLE notice_cursor (log INTEGER NOT NULL, seq INTEGER NOT NULL) STRICT;
  INSERT INTO notice_cursor
    SELECT (SELECT value FROM meta WHERE key = 'log_number'), (SELECT coalesce(max(seq) + 1, 0) FROM log);
  CREATE TABLE notices (
    key TEXT PRIMARY KEY, channel TEXT NOT NULL, target TEXT NOT NULL, notice TEXT NOT NULL,
    n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX notices_target ON notices (channel, target);
  CREATE TABLE notice_budgets (
    owner TEXT PRIMARY KEY, budget TEXT NOT NULL, withheld INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX notice_budgets_withheld ON notice_budgets (owner) WHERE withheld = 1;
  `,
  // Who approves types two digits that only the terminal of the asking run shows.
  `
  CREATE TABLE digits (
    req TEXT PRIMARY KEY, digits TEXT NOT NULL, failures INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // Notices are posted to addresses that owners name; the secrets are stored nowhere.
  `
  CREATE TABLE webhooks (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, url TEXT NOT NULL, generation INTEGER NOT NULL, old_until INTEGER,
    made_at INTEGER NOT NULL, failures INTEGER NOT NULL, failing_since INTEGER, disabled_at INTEGER,
    disabled_why TEXT) STRICT, WITHOUT ROWID;
  CREATE INDEX webhooks_owner ON webhooks (owner);
  `,
  // How long an owner has had a text before he signs it is counted, and how many he never opens.
  `
  ALTER TABLE asks ADD COLUMN opened TEXT;
  CREATE INDEX asks_ended ON asks (owner, decided_at) WHERE decided_at IS NOT NULL;
  CREATE INDEX signatures_owner ON signatures (owner, at);
  `,
  `
  ALTER TABLE asks ADD COLUMN decided_by TEXT;
  `,
  // The newest decisions are read without the others, however many there have been.
  `
  CREATE INDEX asks_decided ON asks (decided_at) WHERE decided_at IS NOT NULL;
  CREATE INDEX asks_decided_several ON asks (decided_at) WHERE decided_at IS NOT NULL AND parties IS NOT NULL;
  `,
  // Who has a key makes a passkey too: what it signed waits with the invitation for the signature of that key.
  `
  ALTER TABLE invitations ADD COLUMN co_signer TEXT;
  ALTER TABLE invitations ADD COLUMN offer TEXT;
  ALTER TABLE invitations ADD COLUMN cancelled_by TEXT;
  `,
];

function pragma(db: Sqlite, name: string): unknown {
  return db.get(`PRAGMA ${name}`)?.[name];
}

/**
 * Brings the file to the newest schema, each step in its own transaction.
 * @throws Refusal `configuration_invalid` for a file of another program or of a newer version
 */
export function migrate(db: Sqlite): void {
  const version = Number(pragma(db, "user_version"));
  const mark = pragma(db, "application_id");
  const isEmpty = db.get("SELECT 1 FROM sqlite_schema LIMIT 1") === undefined;
  if (version === 0 ? !isEmpty : mark !== APPLICATION_ID)
    throw new Refusal("configuration_invalid", "the database is of another program");
  if (version > MIGRATIONS.length)
    throw new Refusal("configuration_invalid", "the database was made by a newer version");
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < version) continue;
    db.exec(
      `BEGIN IMMEDIATE; ${sql}; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${index + 1}; COMMIT`,
    );
  }
}
