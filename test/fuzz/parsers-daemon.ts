import {
  appraise,
  base64url,
  canonicalJson,
  EVIDENCE,
  isObject,
  parseCompact,
  readAskedAnswer,
  readClientCert,
  readEntry,
  readIssuedAnswer,
  readJoinToken,
  readJwk,
  readNonceAnswer,
  readNonceRequest,
  readOwnerConsent,
  readPolicyRules,
  readPostedRequest,
  readPresignedAnswer,
  readPresignedRequest,
  readProxyState,
  readSignedTimes,
  readStopCode,
  utf8,
  writeClientCert,
  writeEntry,
  writeIssuedAnswer,
  writeProxyState,
} from "@countersign/core";
import type { Json, JsonObject } from "@countersign/core";
import {
  parseConfigDocument,
  nodeCrypto,
  parseConfig,
  printable,
  printConfig,
} from "@countersign/node";
import type { ConfigSchema } from "@countersign/node";
import { inspect } from "../../packages/cli/src/inspect.ts";
import { ENTRY } from "../../packages/core/src/issuance/attested.testing.ts";
import { createEventReader } from "../../packages/node/src/http/event-reader.ts";
import { GATEWAY_SCHEMA } from "../../packages/gateway/src/config.ts";
import { PROXY_SCHEMA } from "../../packages/proxy/src/config.ts";
import {
  readCredential,
  readHalted,
  readProof,
  readStatus,
  readWaiting,
} from "../../packages/sdk/src/agent/answers.ts";
import { evidenceInHeader } from "../../packages/sdk/src/verify/evidence.ts";
import { isPoint } from "../../packages/core/src/web-crypto/curve.ts";
import { configOf, SERVER_SCHEMA } from "../../packages/server/src/config.ts";
import { ofJson, ofOctets, ofText } from "./parser.ts";
import type { Parser } from "./parser.ts";
import { factParsers } from "./parsers-facts.ts";
import { NOW } from "./samples.ts";
import type { Samples } from "./samples.ts";

const object = (value: Json): JsonObject => (isObject(value) ? value : {});

function callParsers({ story, triple, trustText }: Samples): readonly Parser[] {
  const { approval, credential } = story.bundle;
  if (approval === undefined) throw new TypeError("the story has an owner");
  const { cs } = story.statement;
  const state = writeProxyState({
    issuer: "https://id.example.org",
    trustDomain: "example.org",
    now: NOW,
    seq: 12,
    checkpoint: "id.example.org/log\n12\nAAAA\n",
    entries: [ENTRY],
    stops: [{ id: "1", scope: "agent", target: story.agent, since: NOW }],
    asks: [{ id: "1", req: cs, agent: story.agent, state: "asked", deadline: NOW }],
    approvals: [{ agent: story.agent, cs, model: "server", approval }],
    trustBundle: trustText,
    development: false,
  });
  const presigned = {
    request: triple.posted.request,
    statement: base64url(story.statement.bytes),
    sig: { ...story.bundle.approval?.sig },
  };
  const issued = writeIssuedAnswer({
    ...story.credential,
    wic: story.credential.chain,
    bundle: story.bundle,
    jti: credential.jti,
    n: 1,
    expires_at: NOW + 600,
  });
  const asked = { state: "asked", id: "1", deadline: NOW, next: "a", reasons: ["none"] };
  return [
    ofJson("entry", [writeEntry(ENTRY)], readEntry),
    ofJson("state of a proxy", [state], readProxyState),
    ofJson("issued", [issued], readIssuedAnswer),
    ofJson("asked", [asked], readAskedAnswer),
    ofJson("nonce asked for", [{ seen: { seq: 1, checkpoint: "a" } }, {}], readNonceRequest),
    ofJson("nonce given", [{ nonce: "A", now: NOW, expires_in: 120 }], readNonceAnswer),
    ofJson("posted", [triple.posted], readPostedRequest),
    ofJson("presigned", [presigned], readPresignedRequest),
    ofJson("presigned: accepted", [{ cs }], readPresignedAnswer),
    ofJson("composite of a gateway", [presigned], readOwnerConsent),
    ofText("certificate passed on", "plain", [writeClientCert(utf8("a certificate"))], (text) =>
      readClientCert([text]),
    ),
  ];
}

function appraisalParser({ triple }: Samples): Parser {
  const claims = JSON.parse(
    Buffer.from(parseCompact(triple.evidence.octets, 65_536).payload).toString(),
  ) as object; // what was sealed
  const entry = {
    facts: ["agent.countersign_proc.seccomp"],
    pins: [],
    insecureSameUid: false,
    uid: 1,
  };
  return ofJson("appraisal of E", [claims], (value) =>
    appraise(EVIDENCE.read(object(value), nodeCrypto), entry, new Set(), "hardened", 1000),
  );
}

function sdkParsers({ story, wpt, bundleText }: Samples): readonly Parser[] {
  const { wit } = story.presented;
  const waiting = { code: "9DD6X-2QK7M", deadline: NOW, next: "ask" };
  const credential = { id: story.agent, wit, wic: ["PEM"], expires_at: NOW };
  const status = {
    entry: ENTRY.id,
    state: "waiting",
    agent: story.agent,
    expires_at: NOW,
    waiting,
  };
  const evidence = base64url(utf8(bundleText));
  return [
    ofJson("door: credential", [credential], (value) => readCredential(object(value))),
    ofJson("door: waiting", [waiting], (value) => readWaiting(object(value))),
    ofJson("door: proof", [{ wit, wpt, evidence, expires_at: NOW }], (v) => readProof(object(v))),
    ofJson("door: halted", [{ reason: "halted", next: "a" }], (value) => readHalted(object(value))),
    ofJson("door: status", [status], (value) => readStatus(object(value))),
    ofText("evidence header", "plain", [evidence], (text) =>
      evidenceInHeader([["Agent-Owner-Evidence", text]]),
    ),
    ofJson("point", [story.keys.wit.key, story.keys.log.key], (value) => isPoint(readJwk(value))),
    ofOctets("events", "lines", [utf8("event: a\ndata: b\n\n: c\r\ndata:d\n\n")], (octets) => {
      const read = createEventReader(4096);
      const half = octets.length >> 1;
      return [read(octets.subarray(0, half)), read(octets.subarray(half))];
    }),
  ];
}

const RULES = `v: 1
issuer: https://id.example.org
rules:
  - name: mailers
    entries: ["spiffe://example.org/agent/batch-*"]
    hosts: [spiffe://example.org/proxy/host-1]
    measurements: { binary: [sha-256:${"A".repeat(43)}] }
    installation_keys: [${"A".repeat(43)}]
    ceiling: [{ type: http_api, locations: ["https://a.example/"], actions: [read] }]
    use: [standing]
    longest_grant_seconds: 86400
    max_ttl_seconds: 900
    max_issue: 200
    max_live: 8
    rate: { count: 10, window_seconds: 3600 }
`;

function configParsers(): readonly Parser[] {
  const yaml = <T extends object>(schema: ConfigSchema<T>, text: string): string =>
    printConfig(schema, parseConfig(text, schema));
  const server = yaml(SERVER_SCHEMA, "trust_domain: example.org\ndns: [a, b]");
  const proxy = yaml(
    PROXY_SCHEMA,
    "trust_domain: example.org\nname: laptop\napi_url: https://id.example.org",
  );
  const token = {
    v: 1,
    td: "example.org",
    name: "laptop",
    api: "https://id.example.org",
    root: "A".repeat(43),
    secret: "A".repeat(22),
    exp: NOW + 60,
  };
  return [
    ofText(
      "configuration of the server",
      "yaml",
      [server],
      (text) => configOf(parseConfig(text, SERVER_SCHEMA)),
      65_536,
    ),
    ofText(
      "configuration of the proxy",
      "yaml",
      [proxy],
      (text) => parseConfig(text, PROXY_SCHEMA),
      65_536,
    ),
    ofText(
      "configuration of a gateway",
      "yaml",
      [yaml(GATEWAY_SCHEMA, "trust_domain: a.b\nname: edge\napi_url: https://a.b\nproxies: [c]")],
      (text) => parseConfig(text, GATEWAY_SCHEMA),
      65_536,
    ),
    ofText("join token", "plain", [base64url(utf8(canonicalJson(token)))], (text) =>
      readJoinToken(text, NOW),
    ),
    ofText("claims of a join token", "json", [canonicalJson(token)], (text) =>
      readJoinToken(base64url(utf8(text)), NOW),
    ),
    ofText(
      "rules of a policy engine",
      "yaml",
      [RULES],
      (text) => parseConfigDocument(text, readPolicyRules),
      65_536,
    ),
    ofJson("times of signatures", [{ v: 1, signed: [{ rule: "a", at: [NOW] }] }], readSignedTimes),
    ofText("stop code", "plain", ["7K3M-Q0ZT-94WD-1XVB"], readStopCode),
    ofText("text for a terminal", "plain", ["a\u001b[2Jb"], (text) => printable(text)),
  ];
}

/** What daemons, command line and SDK read beside the formats of core. */
export function daemonParsers(s: Samples): readonly Parser[] {
  const { story, bundleText, trustText } = s;
  const [leaf = new Uint8Array(0)] = story.credential.chain;
  const files = [story.presented.wit, bundleText, trustText].map(utf8);
  return [
    ...callParsers(s),
    appraisalParser(s),
    ...sdkParsers(s),
    ...factParsers(),
    ...configParsers(),
    ofOctets("any file", "plain", [leaf, ...files], (octets) => inspect(nodeCrypto, octets, NOW)),
  ];
}
