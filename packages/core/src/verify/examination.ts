import type { Bytes, Crypto, Seconds } from "../crypto.ts";
import type { AttestationResult } from "../attestation/attestation.ts";
import type { Approval } from "../consent/approval.ts";
import type { CredentialStatement, OwnerKind, Statement } from "../consent/statement.ts";
import type { ApprovalPart, Bundle, CredentialPart, OwnerApproval } from "../credential/bundle.ts";
import type { VerifiedWit } from "../credential/wit.ts";
import type { EndorsementClaims } from "../issuance/endorsement.ts";
import type { Signed } from "../jose/signed.ts";
import type { Checkpoint } from "../transparency/checkpoint.ts";
import type { VerifiedWic } from "../x509/wic.ts";
import type { DomainTrust, Trust } from "./trust.ts";

/** What is shown to a relying party. The log part is absent before release, at the server's own check. */
export interface Presented {
  readonly wit: string;
  /** DER: leaf first, then issuing CAs, without the root. */
  readonly chain?: readonly Bytes[];
  /**
   * In place of `chain`: DER of the leaf that the caller has shown in a TLS handshake, its path verified there with the
   * roots of the token's trust domain and no others.
   */
  readonly tlsLeaf?: Bytes;
  readonly approval?: ApprovalPart;
  readonly endorsement?: string;
  readonly logged?: Pick<CredentialPart, "leaf" | "salts" | "proof"> &
    Partial<Pick<CredentialPart, "jti" | "cs">>;
}

/** Joins what came by different ways. */
export function presentedOf(
  wit: string,
  chain: readonly Bytes[] | undefined,
  bundle: Bundle | undefined,
): Presented {
  return {
    wit,
    ...(chain === undefined ? {} : { chain }),
    ...(bundle?.approval === undefined ? {} : { approval: bundle.approval }),
    ...(bundle?.credential.end === undefined ? {} : { endorsement: bundle.credential.end }),
    ...(bundle === undefined ? {} : { logged: bundle.credential }),
  };
}

/** What is known of the hardware of the key that signed: what its attestation proves, or that the relying party checked it. */
export type KeyAttestation = AttestationResult | "pinned";

/** How the owner's key came to be accepted. */
export interface Acceptance {
  readonly vouchedBy: "pin" | "x509" | "chain" | "server";
  readonly kind: OwnerKind;
  readonly kindBasis: "pinned" | "claimed";
  /** The least that the other keys on the way prove; absent where there are none. */
  readonly assurance?: number;
  /** Somebody other than the server says that the key's hardware was checked, and who says so is accepted. */
  readonly isAttested: boolean;
  readonly attestation: KeyAttestation;
}

/**
 * One verification under way: what was presented, what is trusted, and what the links found. A link that reads a
 * finding that no earlier link made throws: the order of the table is checked at every run.
 */
export class Examination {
  readonly c: Crypto;
  readonly presented: Presented;
  readonly trust: Trust;
  readonly now: Seconds;
  readonly skewSeconds: Seconds;
  /** The relying party's own resource URI, when it checks the ceiling. */
  readonly resource: string | undefined;
  readonly #found: Map<string, unknown> = new Map();

  constructor(
    c: Crypto,
    presented: Presented,
    trust: Trust,
    options: { now: Seconds; skewSeconds: Seconds; resource?: string | undefined },
  ) {
    this.c = c;
    this.presented = presented;
    this.trust = trust;
    this.now = options.now;
    this.skewSeconds = options.skewSeconds;
    this.resource = options.resource;
  }

  found<K extends keyof Findings>(name: K): Findings[K] {
    const value = this.#found.get(name);
    if (value === undefined) throw new TypeError(`the link that finds ${name} has not run`);
    return value as Findings[K]; // only `keep` writes, with the type of the name
  }

  peek<K extends keyof Findings>(name: K): Findings[K] | undefined {
    return this.#found.get(name) as Findings[K] | undefined; // as above
  }

  /** The same verification with another owner's approval in the place of the first one's. */
  of({ part, approval }: OtherApproval): Examination {
    const { c, presented, trust, now, skewSeconds, resource } = this;
    const other = new Examination(c, presented, trust, { now, skewSeconds, resource });
    for (const [name, value] of this.#found) other.#found.set(name, value);
    const { statement } = approval;
    other.keep("part", part);
    other.keep("statement", statement);
    other.keep("consent", statement.body);
    other.keep("approval", approval);
    return other;
  }

  keep<K extends keyof Findings>(name: K, value: Findings[K]): void {
    this.#found.set(name, value);
  }
}

/** What one owner signed beside the one whom the credential names. */
export interface OtherApproval {
  readonly part: OwnerApproval;
  readonly approval: Approval;
}

/** An owner who signed with a key that is accepted. */
export interface AcceptedParty {
  readonly id: string;
  readonly jkt: string;
  /** What his signature proves, and the keys on the way to it. */
  readonly oa: number;
  readonly vouchedBy: Acceptance["vouchedBy"];
}

/** What links leave for later ones. */
export interface Findings {
  wit: VerifiedWit;
  domain: DomainTrust;
  certificate: Pick<VerifiedWic, "leaf" | "workload">;
  part: ApprovalPart;
  statement: Statement;
  consent: CredentialStatement;
  approval: Approval;
  /** What the others have signed, where it takes several owners. */
  others: readonly OtherApproval[];
  /** Every owner whose key is accepted, the one whom the credential names first; where it takes several. */
  accepted: readonly AcceptedParty[];
  acceptance: Acceptance;
  assurance: number;
  endorsement: Signed<EndorsementClaims>;
  checkpoint: Checkpoint;
}
