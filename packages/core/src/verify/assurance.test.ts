import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { makeMaker, registrationOf } from "../attestation/authenticator.testing.ts";
import type { RegistrationOtherwise } from "../attestation/authenticator.testing.ts";
import { FLAG } from "../consent/authenticator-data.ts";
import type { OwnerClaim } from "../credential/owner-claim.ts";
import type { EnrolmentStep } from "../credential/enrolment.ts";
import { thumbprint } from "../jose/jwk.ts";
import { makeStep } from "./chain.testing.ts";
import type { StepDraft } from "./chain.testing.ts";
import { approvalOf, owned } from "./mutation.testing.ts";
import { appOf, pagesOf } from "./owner-signs.testing.ts";
import type { OwnerSigns } from "./owner-signs.testing.ts";
import { makeStory, NOW } from "./story.testing.ts";
import type { DomainTrust, OwnerPin } from "./trust.ts";
import { LinkRefusal } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";
import { verify } from "./verify.ts";
import type { Demand } from "./verify.ts";

const TD = "example.org";
const PAGES = pagesOf(TD);
const [maker, stranger] = [await makeMaker(), await makeMaker()];
/** The owner's key that signs, the one that vouches for it, and one between them. */
const [owner, coSigner, between] = [generateSigner(), generateSigner("Ed25519"), generateSigner()];
const synced = FLAG.UP | FLAG.UV | FLAG.BE | FLAG.BS;
const SOFTWARE: OwnerSigns = {};
const PASSKEY: OwnerSigns = { webauthn: {} };
const SYNCED: OwnerSigns = { webauthn: { flags: synced } };
const SK: OwnerSigns = { securityKey: "ssh:agent-consent" };

/** One way of proving an owner: how keys sign, what the relying party has pinned, what the bundle shows beside. */
interface Proof {
  readonly owner: OwnerSigns;
  readonly pins?: Partial<OwnerPin>;
  /** Pins the co-signer in place of the owner's key. */
  readonly coSigner?: { readonly signs: OwnerSigns; readonly pin?: Partial<OwnerPin> };
  /** Pins both. */
  readonly isPinnedToo?: true;
  /** The attestation of the owner's key in the step that adds it. */
  readonly att?: RegistrationOtherwise;
  readonly fmt?: string;
  readonly roots?: "maker" | "stranger" | "none";
  readonly kind?: "policy" | "device";
  readonly isServersWord?: true;
  /** A key between, and whether it is attested. */
  readonly by?: { readonly signs: OwnerSigns; readonly att?: RegistrationOtherwise };
}

type Row = readonly [name: string, proof: Proof, oa: number, attestation: string];
const att: RegistrationOtherwise = { pages: PAGES };
const pinnedSk = { signs: SK, pin: { attested: true } } as const;
const ROWS: readonly Row[] = [
  [
    "nobody: the server's word is not taken",
    { owner: PASSKEY, roots: "none", isServersWord: true },
    0,
    "none",
  ],
  ["a policy engine", { owner: SOFTWARE, pins: { kind: "policy" } }, 1, "none"],
  [
    "a device, attested as it may be",
    { owner: SK, pins: { kind: "device", attested: true } },
    1,
    "pinned",
  ],
  ["a software key", { owner: SOFTWARE }, 2, "none"],
  [
    "a software key that is pinned as attested",
    { owner: SOFTWARE, pins: { attested: true } },
    2,
    "pinned",
  ],
  ["a synced passkey", { owner: SYNCED }, 3, "none"],
  [
    "a synced passkey that is pinned as attested",
    { owner: SYNCED, pins: { attested: true } },
    3,
    "pinned",
  ],
  ["a device-bound passkey", { owner: PASSKEY }, 3, "none"],
  [
    "a device-bound passkey that is pinned as attested",
    { owner: PASSKEY, pins: { attested: true } },
    4,
    "pinned",
  ],
  ["a security key of SSH", { owner: SK }, 3, "none"],
  [
    "a security key of SSH that is pinned as attested",
    { owner: SK, pins: { attested: true } },
    4,
    "pinned",
  ],
  [
    "attested and co-signed by as strong a key",
    { owner: PASSKEY, att, coSigner: pinnedSk },
    4,
    "verified",
  ],
  [
    "attested and co-signed over two steps",
    { owner: PASSKEY, att, coSigner: pinnedSk, by: { signs: PASSKEY, att } },
    4,
    "verified",
  ],
  [
    "attested, and co-signed by a key between that is not",
    { owner: PASSKEY, att, coSigner: pinnedSk, by: { signs: PASSKEY } },
    3,
    "verified",
  ],
  [
    "attested, and pinned as well as co-signed: the better way counts",
    { owner: PASSKEY, att, coSigner: pinnedSk, isPinnedToo: true },
    4,
    "verified",
  ],
  ["co-signed, not attested", { owner: PASSKEY, coSigner: pinnedSk }, 3, "none"],
  [
    "attested, co-signed by a key whose hardware nobody checked",
    { owner: PASSKEY, att, coSigner: { signs: SK } },
    3,
    "verified",
  ],
  [
    "attested, co-signed by a synced passkey",
    { owner: PASSKEY, att, coSigner: { signs: SYNCED, pin: { attested: true } } },
    3,
    "verified",
  ],
  [
    "attested, co-signed by a software key",
    { owner: PASSKEY, att, coSigner: { signs: SOFTWARE } },
    2,
    "verified",
  ],
  [
    "attested, co-signed by a device",
    { owner: PASSKEY, att, coSigner: { signs: SK, pin: { attested: true, kind: "device" } } },
    1,
    "verified",
  ],
  [
    "a policy engine, attested and co-signed",
    { owner: PASSKEY, att, coSigner: pinnedSk, kind: "policy" },
    1,
    "verified",
  ],
  [
    "a synced passkey, attested and co-signed",
    {
      owner: SYNCED,
      att: { ...att, flags: FLAG.UP | FLAG.UV | FLAG.AT | FLAG.BE },
      coSigner: pinnedSk,
    },
    3,
    "verified",
  ],
  [
    "a passkey that became copyable after it was attested",
    { owner: SYNCED, att, coSigner: pinnedSk },
    3,
    "verified",
  ],
  [
    "attested by a maker whose root is not configured",
    { owner: PASSKEY, att, coSigner: pinnedSk, roots: "stranger" },
    3,
    "untrusted",
  ],
  [
    "attested, no roots configured",
    { owner: PASSKEY, att, coSigner: pinnedSk, roots: "none" },
    3,
    "untrusted",
  ],
  [
    "an attestation of another format",
    { owner: PASSKEY, att, fmt: "tpm", coSigner: pinnedSk },
    3,
    "unknown_format",
  ],
  [
    "a broken attestation",
    { owner: PASSKEY, att: { ...att, rpId: TD }, coSigner: pinnedSk },
    3,
    "invalid",
  ],
  [
    "attested, and pinned without its co-signer",
    {
      owner: PASSKEY,
      att,
      isPinnedToo: true,
      coSigner: { signs: SK, pin: { owner: "urn:agent-owner:example.org:mallory-01" } },
    },
    3,
    "verified",
  ],
  [
    "attested, on the server's word",
    {
      owner: PASSKEY,
      att,
      coSigner: { signs: SK, pin: { owner: "urn:agent-owner:example.org:mallory-01" } },
      isServersWord: true,
    },
    3,
    "verified",
  ],
];

function signsOf(proof: Proof): StepDraft["signs"] & object {
  return new Map([
    [owner, proof.owner],
    [coSigner, proof.coSigner?.signs ?? {}],
    [between, proof.by?.signs ?? {}],
  ]);
}

async function stepsOf(
  story: Awaited<ReturnType<typeof makeStory>>,
  proof: Proof,
): Promise<readonly EnrolmentStep[]> {
  if (proof.coSigner === undefined) return [];
  const signs = signsOf(proof);
  const attested = async (
    key: typeof owner,
    how: RegistrationOtherwise | undefined,
  ): Promise<Pick<StepDraft, "att">> => {
    if (how === undefined) return {};
    const made = await registrationOf(key.key, maker, how);
    return { att: { ...made, fmt: proof.fmt ?? made.fmt } };
  };
  const last: StepDraft = {
    adds: owner,
    coSigners: [proof.by === undefined ? coSigner : between],
    signs,
    ...(await attested(owner, proof.att)),
    ...(proof.kind === undefined ? {} : { kind: proof.kind }),
  };
  const first: StepDraft = {
    adds: between,
    coSigners: [coSigner],
    signs,
    ...(await attested(between, proof.by?.att)),
  };
  const drafts = proof.by === undefined ? [last] : [first, last];
  return Promise.all(drafts.map((draft) => makeStep(story, draft)));
}

function trusted(domain: DomainTrust, proof: Proof): DomainTrust {
  const { roots = "maker", isServersWord, isPinnedToo } = proof;
  const pinOf = (key: typeof owner, signs: OwnerSigns, pin: Partial<OwnerPin> = {}): OwnerPin => ({
    jkt: thumbprint(c, key.key),
    ...appOf(signs, TD),
    ...pin,
  });
  const own = pinOf(owner, proof.owner, proof.pins);
  const other = proof.coSigner;
  const ownerPins =
    other === undefined
      ? [own]
      : [pinOf(coSigner, other.signs, other.pin), ...(isPinnedToo === true ? [own] : [])];
  const isOnlyServers = isServersWord === true && other === undefined;
  return {
    ...domain,
    ownerPins: isOnlyServers ? [] : ownerPins,
    ...(roots === "none"
      ? {}
      : { attestationRoots: [(roots === "maker" ? maker : stranger).root] }),
    insecureAcceptServerEnrolment: isServersWord === true && other !== undefined,
  };
}

/** The same presented thing, judged under each demand. */
async function judgeOf(
  proof: Proof,
  claim: OwnerClaim["oa"],
): Promise<(demand: Demand) => Promise<Verdict | LinkRefusal>> {
  const draft = owned(() => ({ assurance: claim }));
  const story = await makeStory({ owner, ...proof.owner, draft });
  const domain = trusted(story.domain, proof);
  const enr = await stepsOf(story, proof);
  const presented = { ...story.presented, approval: { ...approvalOf(story.presented), enr } };
  return async (demand) => {
    try {
      return await verify(c, presented, new Map([[domain.origin, domain]]), demand, NOW);
    } catch (error) {
      if (error instanceof LinkRefusal) return error;
      throw error;
    }
  };
}

const CLAIMS = [0, 1, 2, 3, 4] as const;

describe("assurance: claim × proof × demand", () => {
  it.each(ROWS)("%s proves $2", async (_name, proof, proved, attestation) => {
    for (const claim of CLAIMS) {
      const judge = await judgeOf(proof, claim);
      const oa = Math.min(claim, proved);
      const wantedOwner = { oa, assuranceLowered: oa < claim, attestation };
      expect(await judge({ proof: "claimed" })).toMatchObject({ owner: wantedOwner });
      for (const demanded of CLAIMS) {
        const found = await judge({ proof: "claimed", oa: demanded });
        const code = found instanceof LinkRefusal ? found.code : "ok";
        const wanted = demanded <= oa ? "ok" : "assurance_insufficient";
        expect([claim, demanded, code]).toEqual([claim, demanded, wanted]);
      }
    }
  });
});
