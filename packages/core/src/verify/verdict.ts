import type { RefusalCode } from "../refusal.ts";
import { Refusal } from "../refusal.ts";
import type { OwnerKind } from "../consent/statement.ts";
import type { AcceptedParty, KeyAttestation } from "./examination.ts";

/** How far the owner is proved (DESIGN 5.2). Ordered. */
export type OwnerProof = "none" | "claimed" | "verified" | "logged";

const ORDER: readonly OwnerProof[] = ["none", "claimed", "verified", "logged"];

/** Whether `have` is at least `want`. */
export function atLeast(have: OwnerProof, want: OwnerProof): boolean {
  return ORDER.indexOf(have) >= ORDER.indexOf(want);
}

/** One line of a verification. */
export interface LinkResult {
  readonly id: string;
  /** What the link shows, in words. */
  readonly title: string;
  readonly result: RefusalCode | "ok" | "skipped";
}

/** What a relying party learned about a caller. */
export interface Verdict {
  readonly agent: string;
  readonly owner?: {
    readonly id: string;
    readonly kind: OwnerKind;
    /** Whether the kind is the relying party's own pin or only the credential's word. */
    readonly kindBasis: "pinned" | "claimed";
    /** Assurance 0–4: the lower of claim and proof. */
    readonly oa: number;
    readonly assuranceLowered: boolean;
    /**
     * `x509`: certified by a CA that is configured for owners; `chain`: signed for by a key that is pinned or so
     * certified, or by one so added; `server`: only the server's word stands behind it.
     */
    readonly vouchedBy: "pin" | "x509" | "chain" | "server" | "nobody";
    /**
     * Of the hardware of the key that signed: `pinned`, the relying party has checked it; else what the attestation in
     * the bundle proves. It lifts assurance to 4 only together with a co-signer who is accepted and as strong.
     */
    readonly attestation: KeyAttestation;
    /** Statement digest. */
    readonly cs: string;
    /** Where it takes several owners, and their signatures were judged. */
    readonly parties?: {
      /** How many it takes. */
      readonly m: number;
      /** Those whose keys are accepted, the owner that is named first. */
      readonly accepted: readonly AcceptedParty[];
    };
  };
  readonly proof: OwnerProof;
  /** Why the proof is not higher. */
  readonly gap?: { readonly link: string; readonly code: RefusalCode };
  /** `witnessed`: enough of the configured witnesses have cosigned the checkpoint that covers this issue. */
  readonly log: "unchecked" | "unwitnessed" | "witnessed";
  readonly revocation: "expiry only";
  readonly development: boolean;
  readonly expiresAt: number;
  readonly links: readonly LinkResult[];
}

/** A refusal that names the link at which verification stopped. */
export class LinkRefusal extends Refusal {
  readonly link: string;
  readonly links: readonly LinkResult[];

  constructor(code: RefusalCode, link: string, links: readonly LinkResult[], detail?: string) {
    super(code, `link ${link}${detail === undefined ? "" : `: ${detail}`}`);
    this.link = link;
    this.links = links;
  }
}
