import {
  audienceOf,
  base64url,
  canonicalJson,
  checkBelonging,
  credentialsOf,
  ENDORSEMENT,
  EVIDENCE,
  fromBase64url,
  fromUtf8,
  isObject,
  lintIdentifier03,
  makeNonce,
  matchesLocation,
  memoryReplayStore,
  open,
  parseCompact,
  parseJson,
  parseName,
  parseNameSegment,
  parseOrigin,
  parseOwnerId,
  parseTrustDomain,
  parseWorkloadId,
  readConfirmationJwk,
  readJwk,
  readOwnerClaim,
  readPostedRequest,
  REQUEST,
  sameAudience,
  utf8,
  verifyWit,
  verifyWpt,
  witTrustOf,
  checkNonce,
} from "@countersign/core";
import type { HeaderLines, Json, SignedType } from "@countersign/core";
import { nodeCrypto, nodeRandom } from "@countersign/node";
import { credulous, ofJson, ofOctets, ofText } from "./parser.ts";
import type { Parser } from "./parser.ts";
import { ISSUER, NOW, RESOURCE } from "./samples.ts";
import type { Samples } from "./samples.ts";

const STRICT = { maxBytes: 4096, maxDepth: 8 };
const payloadOf = (token: string): object => {
  const value = parseJson(parseCompact(token, 65_536).payload, { maxBytes: 65_536, maxDepth: 16 });
  if (!isObject(value)) throw new TypeError("claims are an object");
  return value;
};
/** A token of these claims with a header that fits and a signature that does not. */
const tokenOf = (header: object, claims: string): string =>
  `${base64url(utf8(canonicalJson(header)))}.${base64url(utf8(claims))}.AAAA`;

function jsonParsers({ story, bundleText, severalText }: Samples): readonly Parser[] {
  return [
    ofText(
      "JSON",
      "json",
      ['{"a":[1,"b",true]}', '[{"é":{}}]'],
      (text) => parseJson(text, STRICT),
      4096,
    ),
    ofOctets(
      "JSON octets",
      "json",
      [utf8(bundleText), utf8(severalText)],
      (octets) =>
        parseJson(octets, {
          ...STRICT,
          maxBytes: 16_384,
          nullAllowed: true,
          fractionsAllowed: true,
        }),
      16_384,
    ),
    ofText("base64url", "plain", ["AAAA", "AA", base64url(utf8("hello"))], fromBase64url),
    ofOctets("UTF-8", "plain", [utf8("hé")], fromUtf8),
    ofJson("JWK", [story.keys.wit.key, story.keys.log.key], (value) => readJwk(value)),
    ofJson(
      "confirmation JWK",
      [
        { ...story.keys.wit.key, alg: "ES256" },
        { ...story.keys.log.key, alg: "Ed25519" },
      ],
      readConfirmationJwk,
    ),
    ofJson("owner claim", [payloadOf(story.presented.wit)], (value) =>
      readOwnerClaim(nodeCrypto, isObject(value) ? value["countersign_owner"] : value),
    ),
  ];
}

/** A signed object as it comes, and its claims alone. */
function signedParsers<C>(
  name: string,
  type: SignedType<C>,
  token: string,
  s: Samples,
): readonly Parser[] {
  const keys = type.key === "given" ? [s.hands.proxy.key] : [];
  return [
    ofText(name, "jws", [token], (text) => open(credulous, type, text, keys), type.maxBytes),
    ofJson(`claims of ${name}`, [payloadOf(token)], (value) =>
      type.read(isObject(value) ? value : {}, nodeCrypto),
    ),
  ];
}

function credentialParsers({ story, wpt }: Samples): readonly Parser[] {
  const { wit } = story.presented;
  const trust = witTrustOf(nodeCrypto, story.trust);
  const judgeWit = (token: string): Promise<unknown> => verifyWit(credulous, token, trust, NOW);
  const judgeWpt = async (
    proof: string,
    headers: HeaderLines = [["ctx2", "abc"]],
  ): Promise<unknown> =>
    verifyWpt(credulous, {
      proof,
      wit: await verifyWit(credulous, wit, trust, NOW),
      headers,
      audiences: [`${RESOURCE}/`],
      contextHeaders: ["ctx"],
      maxLifeSeconds: 600,
      now: NOW,
      replay: memoryReplayStore({ maxEntries: 10 }),
    });
  const { header } = parseCompact(wit, 65_536);
  const line = (text: string): readonly [string, string] => {
    const colon = Math.max(0, text.indexOf(":"));
    return [text.slice(0, colon), text.slice(colon + 1)];
  };
  const lines = `Workload-Identity-Token: ${wit}\nAuthorization: WPT ${wpt}\nTxn-Token: abc`;
  return [
    ofText("WIT", "jws", [wit], judgeWit, 16_384),
    ofText("claims of WIT", "json", [canonicalJson(payloadOf(wit))], (claims) =>
      judgeWit(tokenOf(header, claims)),
    ),
    ofText("WPT", "jws", [wpt], (proof) => judgeWpt(proof), 4096),
    ofText("claims of WPT", "json", [canonicalJson(payloadOf(wpt))], (claims) =>
      judgeWpt(tokenOf({ alg: "ES256", typ: "wpt+jwt" }, claims)),
    ),
    ofText("header lines", "lines", [lines], (text) => credentialsOf(text.split("\n").map(line))),
  ];
}

function nameParsers({ story }: Samples): readonly Parser[] {
  const agent = story.agent;
  const pair = (text: string): readonly [string, string] => {
    const [a = "", b = ""] = text.split("\n");
    return [a, b];
  };
  const urls = `${RESOURCE}/a\n${RESOURCE}:443/a/b?c#d`;
  return [
    ofText("workload identifier", "plain", [agent, "wimse://example.org/a/b"], (text) => {
      const id = parseWorkloadId(text);
      if (lintIdentifier03(text) !== "ok") throw new TypeError("the published rules refuse it");
      return id;
    }),
    ofText(
      "identifier of the draft",
      "plain",
      [agent, "wimse://example.org/a%2Fb"],
      lintIdentifier03,
    ),
    ofText(
      "name",
      "plain",
      [agent, "spiffe://example.org/proxy/laptop", "spiffe://td/server"],
      parseName,
    ),
    ofText("name segment", "plain", ["mailer"], parseNameSegment),
    ofText("origin", "plain", ["spiffe://example.org"], parseOrigin),
    ofText("trust domain", "plain", ["example.org"], parseTrustDomain),
    ofText("owner id", "plain", ["urn:agent-owner:example.org:alice-0001"], parseOwnerId),
    ofText("audience", "plain", [`${RESOURCE}/a?b`, "http://[::1]:80"], audienceOf),
    ofText("location", "plain", [urls], (text) => matchesLocation(...pair(text))),
    ofText("two audiences", "plain", [urls], (text) => sameAudience(...pair(text))),
  ];
}

function postedParsers({ triple, hands }: Samples): readonly Parser[] {
  const context = {
    proxy: "spiffe://example.org/proxy/host-1",
    proxyKey: hands.proxy.key,
    issuer: ISSUER,
    checkNonce: () => undefined,
  };
  const mac = (data: Uint8Array): Uint8Array => nodeCrypto.sha256(data);
  const check = (value: Json): unknown =>
    checkBelonging(credulous, readPostedRequest(value), context, NOW);
  return [
    ofJson("R, E and N together", [triple.posted], check),
    ofText("nonce", "plain", [makeNonce(mac, nodeRandom, context.proxy, NOW)], (text) =>
      checkNonce(mac, text, context.proxy, NOW),
    ),
  ];
}

/** JSON, JOSE, identifiers, credentials and proofs. */
export function tokenParsers(s: Samples): readonly Parser[] {
  const { request, endorsement, evidence } = s.triple;
  return [
    ...jsonParsers(s),
    ofText("compact JWS", "jws", [s.wpt], (text) => parseCompact(text, 4096), 4096),
    ...signedParsers("R", REQUEST, request.octets, s),
    ...signedParsers("N", ENDORSEMENT, endorsement.octets, s),
    ...signedParsers("E", EVIDENCE, evidence.octets, s),
    ...credentialParsers(s),
    ...nameParsers(s),
    ...postedParsers(s),
  ];
}
