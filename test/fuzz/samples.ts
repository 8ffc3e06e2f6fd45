import {
  buildCsr,
  canonicalJson,
  fromBase64,
  fromUtf8,
  hashOf,
  sealWpt,
  statementId,
  writeBundle,
  writeStatement,
  writeTrustBundle,
} from "@countersign/core";
import type { Attestation, KeyStatement, Signer } from "@countersign/core";
import { generateSigner, nodeCrypto, nodeRandom } from "@countersign/node";
import {
  makeMaker,
  registrationOf,
} from "../../packages/core/src/attestation/authenticator.testing.ts";
import type { Maker } from "../../packages/core/src/attestation/authenticator.testing.ts";
import { ISSUER, makeTriple } from "../../packages/core/src/issuance/attested.testing.ts";
import type { Hands, Triple } from "../../packages/core/src/issuance/attested.testing.ts";
import { TWO_OF_THREE } from "../../packages/core/src/verify/mutations-parties.testing.ts";
import { trustFileOf } from "../../packages/core/src/verify/request.testing.ts";
import { makeStory, NOW, RESOURCE } from "../../packages/core/src/verify/story.testing.ts";
import type { Story } from "../../packages/core/src/verify/story.testing.ts";
import { KEY as KEY_BODY } from "../conformance/consent-fixture.ts";

export { ISSUER, NOW, RESOURCE };

/** One true story and what else a valid input is made of. */
export interface Samples {
  readonly story: Story;
  readonly triple: Triple;
  readonly hands: Hands;
  readonly wpt: string;
  readonly csr: Uint8Array;
  /** Statements: to issue, to add a key, and to issue where it takes several owners. */
  readonly statements: readonly [Uint8Array, Uint8Array, Uint8Array];
  readonly sshsig: Uint8Array;
  readonly bundleText: string;
  /** One that takes several owners, and its bundle. */
  readonly several: Story;
  readonly severalText: string;
  readonly trustText: string;
  readonly trustFile: string;
  readonly stranger: Signer;
  readonly maker: Maker;
  /** Of the story's token key, as if it were in an authenticator. */
  readonly attestation: Attestation;
}

/** What tests share; its keys are fresh each time, its words and times are not. */
export async function makeSamples(): Promise<Samples> {
  const story = await makeStory();
  const several = await makeStory({ parties: TWO_OF_THREE });
  const hands: Hands = { key: generateSigner(), anchor: generateSigner(), proxy: generateSigner() };
  const { wit } = story.presented;
  const proof = { aud: `${RESOURCE}/`, exp: NOW + 30, jti: "one", wth: hashOf(nodeCrypto, wit) };
  const { approval } = story.bundle;
  if (approval === undefined) throw new TypeError("the story has an owner");
  const { sig } = approval;
  if (sig.k === "webauthn") throw new TypeError("the story's owner signs by SSH");
  const maker = await makeMaker();
  return {
    story,
    maker,
    attestation: await registrationOf(story.keys.wit.key, maker),
    hands,
    triple: await makeTriple(nodeCrypto, hands, { request: { note: "hello" } }),
    wpt: (await sealWpt(nodeCrypto, proof, story.keys.credential)).octets,
    csr: await buildCsr(nodeCrypto, generateSigner(), "spiffe://example.org/proxy/laptop"),
    statements: [story.statement.bytes, keyStatement(), several.statement.bytes],
    sshsig: fromBase64(sig.s),
    bundleText: canonicalJson(writeBundle(story.bundle)),
    several,
    severalText: canonicalJson(writeBundle(several.bundle)),
    trustText: fromUtf8(writeTrustBundle(story.domain.bundle)),
    trustFile: trustFileOf(story),
    stranger: generateSigner(),
  };
}

function keyStatement(): Uint8Array {
  const body: KeyStatement = { ...KEY_BODY, jti: statementId(NOW, nodeRandom) };
  return writeStatement(nodeCrypto, body).bytes;
}
