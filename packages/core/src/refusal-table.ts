/** Every reason for which anything here is refused. Closed: a new one is a new row below. */
export type RefusalCode =
  | "malformed_request"
  | "malformed_json"
  | "unknown_member"
  | "unsupported_media_type"
  | "method_not_allowed"
  | "not_found"
  | "too_large"
  | "rate_limited"
  | "internal"
  | "indeterminate"
  | "malformed_token"
  | "wrong_type"
  | "unsupported_alg"
  | "unsupported_critical"
  | "invalid_signature"
  | "missing_sub"
  | "invalid_sub"
  | "invalid_identifier"
  | "unknown_trust_domain"
  | "issuer_not_allowed"
  | "unknown_key"
  | "missing_exp"
  | "invalid_exp"
  | "expired"
  | "not_yet_valid"
  | "lifetime_too_long"
  | "missing_confirmation"
  | "missing_confirmation_alg"
  | "forbidden_confirmation_alg"
  | "invalid_key"
  | "wit_missing"
  | "wit_repeated"
  | "wpt_missing"
  | "alg_mismatch"
  | "audience_mismatch"
  | "wit_binding_mismatch"
  | "txn_token_binding_mismatch"
  | "other_token_binding_mismatch"
  | "missing_jti"
  | "replayed"
  | "malformed_certificate"
  | "malformed_csr"
  | "untrusted_chain"
  | "trust_domain_mismatch"
  | "not_end_entity"
  | "wrong_purpose"
  | "unsupported_constraint"
  | "forms_differ"
  | "client_certificate_required"
  | "evidence_invalid"
  | "ear_invalid"
  | "attester_unknown"
  | "gateway_not_allowed"
  | "renewal_invalid"
  | "script_unmeasurable"
  | "loader_forbidden"
  | "process_gone"
  | "process_unreadable"
  | "program_changed"
  | "peer_unexpected"
  | "facts_missing"
  | "posture_refused"
  | "custody_mismatch"
  | "measurement_unknown"
  | "measurement_changed"
  | "statement_invalid"
  | "challenge_mismatch"
  | "origin_mismatch"
  | "user_not_verified"
  | "user_not_present"
  | "namespace_mismatch"
  | "payload_mismatch"
  | "signature_invalid"
  | "key_not_enrolled"
  | "key_unsupported"
  | "counter_regressed"
  | "key_suspended"
  | "co_signers_insufficient"
  | "recovery_pending"
  | "stop_code_invalid"
  | "invitation_invalid"
  | "invitation_used"
  | "last_key"
  | "session_needed"
  | "sign_in_failed"
  | "already_decided"
  | "already_signed"
  | "digits_mismatched"
  | "quorum_unmet"
  | "approval_expired"
  | "approval_unsuitable"
  | "approval_queue_full"
  | "approval_denied"
  | "owner_missing"
  | "owner_claim"
  | "owner_evidence_needed"
  | "owner_key_unaccepted"
  | "owner_proof_insufficient"
  | "assurance_insufficient"
  | "endorsement_missing"
  | "endorsement_invalid"
  | "outside_grant"
  | "outside_ceiling"
  | "outside_audiences"
  | "development_refused"
  | "log_proof_invalid"
  | "checkpoint_invalid"
  | "witnesses_missing"
  | "record_invalid"
  | "nonce_unknown"
  | "nonce_expired"
  | "clock_skewed"
  | "request_expired"
  | "request_invalid"
  | "key_reused"
  | "entry_unknown"
  | "entry_not_served"
  | "grant_exhausted"
  | "too_many_live"
  | "stale"
  | "halted"
  | "hold"
  | "proxy_forked"
  | "join_token_invalid"
  | "name_taken"
  | "authentication_failed"
  | "configuration_invalid"
  | "trust_bundle_invalid"
  | "trust_bundle_changed"
  | "private_mode"
  | "signer_unsuitable"
  | "unreachable"
  | "address_refused"
  | "waiting_for_owner"
  | "no_credential"
  | "offline"
  | "terminal_required"
  | "token_refused";

/** One row: the HTTP status, what happened, what to do next, and whether the same request may pass later. */
export interface RefusalRow {
  readonly status: number;
  readonly title: string;
  readonly next: string;
  readonly retry: boolean;
}

function row(
  status: number,
  title: string,
  next: string,
  retry: "retry" | "final" = "final",
): RefusalRow {
  return { status, title, next, retry: retry === "retry" };
}

/** The one table: problem documents, the command line's words and the tests derive from it. */
export const REFUSALS: Readonly<Record<RefusalCode, RefusalRow>> = {
  // form
  malformed_request: row(
    400,
    "The request is not of the form this call takes",
    "Send the members that the interface names, each of its type, and nothing else.",
  ),
  malformed_json: row(
    400,
    "The text is not strict JSON",
    "Send UTF-8 JSON without duplicate members, unsafe numbers or deep nesting.",
  ),
  unknown_member: row(
    400,
    "A member is not known here",
    "Remove the member: closed objects refuse what they do not know.",
  ),
  unsupported_media_type: row(
    415,
    "The content type is not taken here",
    "Send application/json, or the content type that the interface names.",
  ),
  method_not_allowed: row(
    405,
    "This path does not take that method",
    "Use the method that the interface names for this path.",
  ),
  not_found: row(404, "There is nothing here", "Check the path and the name in it."),
  too_large: row(
    413,
    "The input is larger than its limit",
    "Send less: the limits are in the documentation of the interface.",
  ),
  rate_limited: row(429, "Too many requests", "Wait a second, then ask again.", "retry"),
  internal: row(
    500,
    "Something went wrong here",
    "Try again; if it stays, give the operator the time of this answer.",
    "retry",
  ),
  indeterminate: row(
    503,
    "A source of truth is not available",
    "Try again shortly: nothing was decided.",
    "retry",
  ),
  // tokens
  malformed_token: row(
    400,
    "The token is not well formed",
    "Send one compact JWS with canonical base64url parts.",
  ),
  wrong_type: row(400, "The token is of another type", "Send the token that this place asks for."),
  unsupported_alg: row(
    400,
    "The algorithm is not accepted",
    "Use an algorithm of the list for this token type: ES256 always works.",
  ),
  unsupported_critical: row(
    400,
    "A critical extension is not understood",
    "Send the token without critical header parameters.",
  ),
  invalid_signature: row(
    400,
    "The signature does not fit",
    "Sign again with the key that the token names.",
  ),
  missing_sub: row(400, "The token names no subject", "Ask for a new credential."),
  invalid_sub: row(
    400,
    "The subject is not one canonical workload identifier",
    "Ask for a new credential.",
  ),
  invalid_identifier: row(
    400,
    "The identifier is not in canonical form",
    "Write it as spiffe://trust-domain/path, lower-case domain, no query, port or escapes.",
  ),
  unknown_trust_domain: row(
    400,
    "The trust domain is not configured here",
    "Add the trust domain and its keys to the relying party's configuration.",
  ),
  issuer_not_allowed: row(
    400,
    "The issuer is not the one configured for the trust domain",
    "Check the issuer in the relying party's configuration.",
  ),
  unknown_key: row(
    400,
    "The signing key is not known",
    "Refresh the trust bundle of the trust domain.",
  ),
  missing_exp: row(400, "The token has no expiry", "Ask for a new token."),
  invalid_exp: row(400, "The expiry is not a number", "Ask for a new token."),
  expired: row(400, "It has expired", "Get a new one and try again."),
  not_yet_valid: row(400, "It is not valid yet", "Check the clocks of both sides."),
  lifetime_too_long: row(400, "Its life is longer than is accepted", "Ask for a shorter one."),
  missing_confirmation: row(
    400,
    "The token is bound to no key",
    "Ask for a credential with a confirmation key.",
  ),
  missing_confirmation_alg: row(
    400,
    "The confirmation key names no algorithm",
    "Ask for a credential whose cnf.jwk has alg.",
  ),
  forbidden_confirmation_alg: row(
    400,
    "The confirmation key's algorithm is not accepted",
    "Ask for a credential with an ES256 key.",
  ),
  invalid_key: row(
    400,
    "The key is not an acceptable public key",
    "Use a P-256 public key, without private members.",
  ),
  wit_missing: row(
    400,
    "There is no Workload-Identity-Token",
    "Send exactly one Workload-Identity-Token header and its proof.",
  ),
  wit_repeated: row(
    400,
    "There is more than one Workload-Identity-Token",
    "Send exactly one Workload-Identity-Token header.",
  ),
  wpt_missing: row(
    401,
    "There is no workload proof",
    "Send Authorization: WPT with a proof made for this address.",
  ),
  alg_mismatch: row(
    401,
    "The proof uses another algorithm than its key says",
    "Make a new proof with the key of the credential.",
  ),
  audience_mismatch: row(
    401,
    "It was made for another address",
    "Make a new one for the address that is called.",
  ),
  wit_binding_mismatch: row(
    401,
    "The proof belongs to another credential",
    "Make a new proof with the credential that is sent.",
  ),
  txn_token_binding_mismatch: row(
    401,
    "The proof does not cover the transaction token",
    "Make a new proof over the token that is sent.",
  ),
  other_token_binding_mismatch: row(
    401,
    "The proof does not cover the other tokens",
    "Make a new proof over exactly the context headers that are sent.",
  ),
  missing_jti: row(401, "The proof has no identifier", "Make a new proof."),
  replayed: row(401, "It was used before", "Make a new one for each use."),
  // X.509
  malformed_certificate: row(
    400,
    "The certificate is not well formed",
    "Send one DER certificate as RFC 5280 says.",
  ),
  malformed_csr: row(
    400,
    "The certificate request is not well formed",
    "Send one PKCS#10 request, signed by its own key.",
  ),
  untrusted_chain: row(
    400,
    "The certificate does not lead to a configured anchor",
    "Check the anchors of the trust domain.",
  ),
  trust_domain_mismatch: row(
    400,
    "The certificate's anchor belongs to another trust domain",
    "Check the anchors of the trust domain.",
  ),
  not_end_entity: row(
    400,
    "The certificate is not one of an end entity",
    "Present the leaf certificate.",
  ),
  wrong_purpose: row(
    400,
    "The certificate is not made for this purpose",
    "Present a certificate with the fitting extended key usage.",
  ),
  unsupported_constraint: row(
    400,
    "The certificate carries a constraint that is not supported",
    "Issue it without name constraints or unknown critical extensions.",
  ),
  forms_differ: row(
    400,
    "Token and certificate do not say the same",
    "Ask for a new credential: both forms of one issue must agree.",
  ),
  client_certificate_required: row(
    401,
    "This call needs a client certificate",
    "Enrol the proxy, then call with its certificate.",
  ),
  // evidence
  evidence_invalid: row(
    400,
    "The evidence does not hold",
    "Look at the proxy's log: evidence must be fresh, of this proxy and for this request.",
  ),
  ear_invalid: row(400, "The attestation result does not hold", "Ask the verifier again."),
  attester_unknown: row(403, "This proxy is not enrolled", "Enrol the proxy with a join token."),
  gateway_not_allowed: row(
    403,
    "This gateway may not do that for this proxy and owner",
    "Name the proxy and the owner where the gateway is registered: countersign server gateway-token.",
  ),
  renewal_invalid: row(
    403,
    "The renewal is not signed by the proxy's present key",
    "Let the proxy renew its certificate itself; nobody can do that for it.",
  ),
  script_unmeasurable: row(
    403,
    "The program's script cannot be measured",
    "Start the interpreter with a script file, or name a manifest in the registration entry.",
  ),
  loader_forbidden: row(
    403,
    "The program was started with a loader variable or option that its entry does not allow",
    "Start it without it, or list the interpreter option in the registration entry.",
  ),
  process_gone: row(
    403,
    "The asking process ended or changed",
    "Ask again from the process that keeps running.",
  ),
  process_unreadable: row(
    403,
    "The proxy may not read the asking process",
    "Run the proxy as root or with the agent's own uid, and the agent dumpable.",
  ),
  program_changed: row(
    403,
    "The program changed while it was measured",
    "Start the agent again, then ask.",
  ),
  peer_unexpected: row(
    403,
    "This process is not the one that the door was made for",
    "Start the agent with countersign run.",
  ),
  facts_missing: row(
    403,
    "A fact that the entry demands could not be collected",
    "Check the facts in the registration entry against the host.",
  ),
  posture_refused: row(
    403,
    "The appraisal contradicts the policy",
    "Read the reasons in the server's log; run agent and proxy under users of their own.",
  ),
  custody_mismatch: row(
    409,
    "The key is not held by the side that the registration names",
    "Look at the entry's custody: countersign agent list --json; the agent connects with a key of its own or without, as it says.",
  ),
  measurement_unknown: row(
    403,
    "The program is not one that the entry knows",
    "Register the program's digest: countersign agent register NAME --pin.",
  ),
  measurement_changed: row(
    403,
    "The program is not the one that was approved",
    "Ask again: the owner is shown what changed.",
  ),
  // owner
  statement_invalid: row(
    422,
    "The consent statement does not hold",
    "Open the request again: the server makes a new statement.",
  ),
  challenge_mismatch: row(
    422,
    "The signature is over another statement",
    "Sign the statement that is shown.",
  ),
  origin_mismatch: row(
    422,
    "It comes from another origin than the console's",
    "Use the console of this trust domain, at its own address.",
  ),
  user_not_verified: row(
    422,
    "The authenticator did not verify the user",
    "Sign again with PIN or biometrics.",
  ),
  user_not_present: row(422, "Nobody touched the authenticator", "Sign again and touch the key."),
  namespace_mismatch: row(
    422,
    "The SSH signature is for another namespace",
    "Sign with -n agent-consent-v1@countersign.",
  ),
  payload_mismatch: row(
    422,
    "The signature covers another payload",
    "Sign the bytes of the statement as they are.",
  ),
  signature_invalid: row(
    422,
    "The owner's signature does not fit",
    "Sign again with an enrolled key.",
  ),
  key_not_enrolled: row(
    422,
    "This key is not enrolled for the owner",
    "Enrol it first: countersign owner enrol.",
  ),
  key_unsupported: row(
    422,
    "Keys of this kind are not accepted",
    "Make one with ssh-keygen -t ed25519.",
  ),
  counter_regressed: row(
    422,
    "The key's counter went back",
    "Stop using this key: it may have been copied, and is suspended now. Look at what it approved: countersign agent list.",
  ),
  key_suspended: row(
    423,
    "The key is suspended",
    "Use another key. If it was no copy, an administrator runs countersign owner resume-key THUMBPRINT.",
  ),
  co_signers_insufficient: row(
    422,
    "Who vouches for the key is not enough",
    "Have it co-signed by a key that the owner has, or recover: countersign owner recover.",
  ),
  recovery_pending: row(
    409,
    "A recovery of this owner is announced already",
    "Look at it, or cancel it first: countersign owner recover list.",
  ),
  stop_code_invalid: row(
    403,
    "The code is not valid",
    "Type another one of the newest printed codes, or stop it on the server's host: countersign halt.",
  ),
  invitation_invalid: row(
    403,
    "The code is not valid",
    "Type the code that the terminal shows now, or have a new one made: countersign owner invite NAME.",
  ),
  invitation_used: row(
    409,
    "The link was used already",
    "Tell whoever gave you the link: countersign owner list shows the key that was made.",
  ),
  last_key: row(
    409,
    "It is the last key that signs",
    "Add another key first. To stop everything needs no key: countersign halt owner NAME.",
  ),
  session_needed: row(401, "Nobody is signed in", "Sign in with a passkey of this console."),
  sign_in_failed: row(
    401,
    "This passkey does not sign in here",
    "Use a passkey that you made for this console. If it was removed or suspended, use another one.",
  ),
  already_decided: row(409, "The request was decided already", "Look at the agent's status."),
  already_signed: row(
    409,
    "This owner has signed already",
    "Have another one of the owners sign: countersign owner requests says who is missing.",
  ),
  digits_mismatched: row(
    422,
    "These are not the two digits of this request",
    "Look at the terminal that shows the code of this request. If it shows another code, deny the request.",
  ),
  quorum_unmet: row(
    403,
    "Fewer owners have signed than the approval demands",
    "Ask the caller for the whole approval, with what every owner has signed.",
  ),
  approval_expired: row(410, "The request is over", "Start the agent again: it asks anew."),
  approval_unsuitable: row(
    422,
    "The approval does not fit the request",
    "Open the request again and sign what is shown.",
  ),
  approval_queue_full: row(
    429,
    "Too many requests wait for the owner",
    "Wait until the owner has decided.",
    "retry",
  ),
  approval_denied: row(
    403,
    "The owner denied it",
    "Talk to the owner; the agent may ask again later.",
  ),
  owner_missing: row(
    403,
    "The credential names no owner",
    "Use an agent whose registration binds it to an owner.",
  ),
  owner_claim: row(
    403,
    "The owner named in the credential is not the one who signed",
    "Ask for a new credential.",
  ),
  owner_evidence_needed: row(
    400,
    "The owner's signature was not sent",
    "Send it once more with Agent-Owner-Evidence, or let the service fetch it.",
  ),
  owner_key_unaccepted: row(
    403,
    "The owner's key is not one that is accepted here",
    "Pin the owner's key, or configure the CA of the owners, and start the service again: it reads its pins once.",
  ),
  owner_proof_insufficient: row(
    403,
    "The owner is not proved as far as is demanded",
    "Send the owner evidence with its log proof.",
  ),
  assurance_insufficient: row(
    403,
    "The owner's key is weaker than is demanded",
    "Have the owner approve with a stronger key.",
  ),
  endorsement_missing: row(
    403,
    "No endorsement leads from the approved installation to this key",
    "Send the whole bundle.",
  ),
  endorsement_invalid: row(403, "The endorsement does not hold", "Ask for a new credential."),
  outside_grant: row(
    403,
    "The credential lies outside what the owner approved",
    "Ask for a new credential.",
  ),
  outside_ceiling: row(
    403,
    "The owner's approval does not reach this place",
    "Ask for an approval that names this place.",
  ),
  outside_audiences: row(
    403,
    "The agent may not prove itself there",
    "Add the address to the entry's audiences: countersign agent register NAME --audience URL.",
  ),
  development_refused: row(
    403,
    "The credential is of a development trust domain",
    "Set insecureAcceptDevelopment, on a developer's machine only.",
  ),
  // log
  log_proof_invalid: row(403, "The log proof does not hold", "Fetch the bundle again."),
  checkpoint_invalid: row(
    403,
    "The checkpoint is not one of the configured log",
    "Check the log's key in the trust configuration.",
  ),
  witnesses_missing: row(
    403,
    "Too few of the configured witnesses have seen the checkpoint",
    "Fetch the bundle again: witnesses cosign seconds after the issue.",
    "retry",
  ),
  record_invalid: row(
    403,
    "The record does not open its leaf",
    "Ask the server's operator for the right record.",
  ),
  // server
  nonce_unknown: row(
    400,
    "The nonce is not one of this server for this proxy",
    "Get a new nonce and make the request again.",
    "retry",
  ),
  nonce_expired: row(
    400,
    "The nonce is too old",
    "Get a new nonce and make the request again.",
    "retry",
  ),
  clock_skewed: row(400, "The clocks are too far apart", "Set the clock of this host."),
  request_expired: row(400, "The request has expired", "Make a new request.", "retry"),
  request_invalid: row(400, "The agent's request does not hold", "Make a new request."),
  key_reused: row(409, "This key is known already", "Make a new key for each credential."),
  entry_unknown: row(
    404,
    "No registration entry of this name is served here",
    "Register the agent: countersign agent register NAME.",
  ),
  entry_not_served: row(
    403,
    "The entry belongs to another proxy",
    "Ask through the proxy that the entry names.",
  ),
  grant_exhausted: row(403, "The approval is used up", "Ask again: the owner is asked anew."),
  too_many_live: row(
    429,
    "As many credentials are live as the approval allows",
    "Wait until one has expired.",
    "retry",
  ),
  stale: row(
    409,
    "Something changed since this was decided",
    "Ask again with a new request.",
    "retry",
  ),
  halted: row(403, "It was stopped", "Ask who stopped it; a stop is lifted with countersign lift."),
  hold: row(
    503,
    "The server holds: its state may be older than what was issued",
    "The operator runs countersign server recover.",
  ),
  proxy_forked: row(
    403,
    "This proxy's identity was used from two places",
    "Enrol the proxy again with countersign proxy enroll --replace.",
  ),
  join_token_invalid: row(
    403,
    "The join token is not valid",
    "Make a new one: countersign server join-token --proxy NAME.",
  ),
  name_taken: row(409, "The name is taken", "Make the token with --replace: that ends its grants."),
  authentication_failed: row(
    401,
    "The caller is not who it must be",
    "Call over the socket or with the certificate that this interface asks for.",
  ),
  configuration_invalid: row(
    500,
    "The configuration is not valid",
    "Correct the setting named; --print-config shows what is read.",
  ),
  trust_bundle_invalid: row(
    500,
    "The trust bundle is not valid",
    "Fetch the bundle again from the trust domain's server, or ask its operator.",
  ),
  trust_bundle_changed: row(
    500,
    "The trust bundle is older than the one held, or changes what was pinned",
    "Ask the operator of the trust domain; configure it again only if the change is meant.",
  ),
  private_mode: row(
    500,
    "A private file can be read by others",
    "Set its mode to 0600 and its folder's to 0700.",
  ),
  signer_unsuitable: row(
    500,
    "A key or certificate is not fit for its use",
    "Run countersign server init in a new directory.",
  ),
  unreachable: row(
    503,
    "The other side does not answer",
    "Check that it runs and that the address is right.",
    "retry",
  ),
  address_refused: row(
    400,
    "That address may not be called from here",
    "Give an https address on a public network, or have the operator list its network in notice_networks.",
  ),
  waiting_for_owner: row(
    403,
    "The owner has not approved yet",
    "Wait, or ask the owner to approve; the code is shown on both sides.",
    "retry",
  ),
  no_credential: row(
    409,
    "There is no credential yet",
    "Ask for one first: POST /v1/credential.",
    "retry",
  ),
  offline: row(
    503,
    "The proxy has had no word from the server for too long",
    "Wait until the proxy reaches the server again.",
    "retry",
  ),
  terminal_required: row(
    400,
    "This needs a person at a terminal",
    "Run it in a terminal, outside countersign run.",
  ),
  token_refused: row(
    422,
    "The token did not sign",
    "See what it holds and can do: pkcs11-tool --list-objects, --list-mechanisms.",
  ),
};
