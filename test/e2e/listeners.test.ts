// Octets that no program of ours would send, to every listener and socket, over the wire.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadIdentity } from "../../packages/proxy/src/keys/identity.ts";
import { until } from "./countersign.ts";
import type { Running } from "./countersign.ts";
import { freePort } from "../../packages/node/src/index.ts";
import { Production } from "./production.ts";
import { exchange, requestOf } from "./wire.ts";
import type { Dial, Reply } from "./wire.ts";

const PLACES = [
  "api",
  "gateway",
  "public",
  "admin",
  "door",
  "run",
  "proxy",
  "witness",
  "console",
] as const;
type Place = (typeof PLACES)[number];

interface Known {
  /** A call that is there and takes no body. */
  readonly get?: string;
  /** A call that takes a body. */
  readonly post?: string;
}
const KNOWN: Readonly<Record<Place, Known>> = {
  api: { get: "/.well-known/est/cacerts", post: "/v1/nonce" },
  gateway: { get: "/.well-known/est/cacerts", post: "/v1/nonce" },
  public: { get: "/healthz" },
  admin: { get: "/v1/status", post: "/v1/halts" },
  door: { get: "/v1/status", post: "/v1/proof" },
  run: { post: "/v1/runs" },
  proxy: { get: "/v1/status" },
  witness: { post: "/add-checkpoint" },
  console: { get: "/v1/owner/console", post: "/v1/owner/sign-in" },
};
const PAGE = "consent.example.org";
/** How a place is called: the console by its own page only. */
const calledAt = (place: Place): { readonly host?: string } =>
  place === "console" ? { host: PAGE } : {};
const calledFrom = (place: Place): readonly string[] =>
  place === "console" ? [`origin: https://${PAGE}`] : [];
/** More than any listener takes. */
const TOO_MUCH = "x".repeat(200_000);
const JSON_TYPE = "content-type: application/json";
const pathOf = (place: Place): string => KNOWN[place].get ?? KNOWN[place].post ?? "/";
const methodOf = (place: Place): string => (KNOWN[place].get === undefined ? "POST" : "GET");

let made: Production;
let dials: Readonly<Record<Place, Dial>>;
let nobody: Dial;
let witness: Running;
let gateway: Running;
let secret = "";
let slow: ReadonlyMap<string, Promise<Reply>>;
let before: Readonly<Record<string, unknown>>;

async function startWitness(home: Production["home"], vkey: string): Promise<Running> {
  await home.json(["log", "witness", "init", "--name", "witness.example/w1"]);
  const listen = `127.0.0.1:${await freePort()}`;
  const started = home.start(["log", "witness", "run", "--listen", listen, "--log", vkey]);
  await started.when("witness", ({ err }) => err.find((line) => line.includes("witness.running")));
  return started;
}
/** A gateway before the one proxy that there is. */
async function startGateway(home: Production["home"]): Promise<Running> {
  const token = home.file("edge.token");
  const named = ["--gateway", "edge", "--proxy", "here", "--out", token];
  await home.json(["server", "gateway-token", ...named]);
  const port = String(await freePort());
  const init = ["--token-file", token, "--proxy", "here", "--listen-port", port];
  await home.json(["owner", "gateway", "init", ...init]);
  const started = home.start(["owner", "gateway", "run"]);
  await started.when("gateway", ({ err }) => err.find((line) => line.includes("gateway.running")));
  return started;
}
/** The secret of a join token that nobody has used. */
async function joinSecret(home: Production["home"]): Promise<string> {
  const file = home.file("unused.token");
  await home.json(["server", "join-token", "--proxy", "there", "--out", file]);
  const token = Buffer.from(readFileSync(file, "utf8").trim(), "base64url").toString();
  return (JSON.parse(token) as { secret: string }).secret; // as the server makes it
}
const addressIn = ({ err }: Running, event: string, name: string): URL => {
  const line = err.find((one) => one.includes(`"event":"${event}"`)) ?? "";
  const { fields } = JSON.parse(line) as { fields: Record<string, string> }; // as `main` logs it
  return new URL(fields[name] ?? "");
};
const state = async (): Promise<Readonly<Record<string, unknown>>> => {
  const all = {
    entries: await made.home.local("server.sock", "/v1/entries"),
    owners: await made.home.local("server.sock", "/v1/owners"),
    halts: await made.home.local("server.sock", "/v1/halts"),
    grants: await made.home.local("server.sock", "/v1/grants"),
    credentials: await made.home.local("server.sock", "/v1/credentials"),
    requests: await made.home.local("server.sock", "/v1/owner/requests?all=1"),
    rows: await made.home.local("server.sock", "/v1/log?from=0"),
  };
  return all;
};

beforeAll(async () => {
  made = await Production.create();
  const { home } = made;
  await home.register("service", "--pin", "--door", "fixed", "--insecure-same-uid");
  const door = join(home.data, "run/door/service.sock");
  await until("door", () => existsSync(door) || undefined);
  const { keys } = (await home.json(["server", "status"])) as { keys: { log: string } };
  witness = await startWitness(home, keys.log);
  gateway = await startGateway(home);
  const { cert, key } = await loadIdentity(join(home.data, "proxy"), "example.org", "here");
  const api = addressIn(made.server, "server.running", "api");
  nobody = { url: api };
  dials = {
    api: { url: api, cert, key },
    gateway: { url: addressIn(gateway, "gateway.running", "address"), cert, key },
    public: { url: addressIn(made.server, "server.running", "public") },
    admin: { unix: join(home.data, "run/server.sock") },
    door: { unix: door },
    run: { unix: join(home.data, "run/run.sock") },
    proxy: { unix: join(home.data, "run/proxy.sock") },
    witness: { url: addressIn(witness, "witness.running", "address") },
    console: { url: made.console },
  };
  secret = await joinSecret(home);
  before = await state();
  // half a minute each, so all at once, while the rest goes on
  slow = new Map(
    PLACES.flatMap((place) => [
      [`${place} headers`, exchange(dials[place], "GET / HTTP/1.1\r\nhost: localhost\r\n")],
      [
        `${place} body`,
        exchange(
          dials[place],
          `POST ${pathOf(place)} HTTP/1.1\r\nhost: localhost\r\n${JSON_TYPE}\r\ncontent-length: 9\r\n\r\n{`,
        ),
      ],
    ]),
  );
});
afterAll(() => made.close());

type Octets = readonly (string | Uint8Array)[];
const raw = (head: string): Octets => [`${head}\r\n\r\n`];
const line = (head: string): string => `${head} HTTP/1.1\r\nhost: localhost`;

const ROWS: readonly (readonly [string, (place: Place) => Octets, number, string])[] = [
  ["another method", (p) => requestOf(`PUT ${pathOf(p)}`), 405, "method_not_allowed"],
  ["a method that may not be", (p) => raw(line(`TRACE ${pathOf(p)}`)), 405, "method_not_allowed"],
  ["a tunnel", () => raw(line("CONNECT localhost:80")), 405, "method_not_allowed"],
  ["a method of nobody", () => raw(line("HELLO /")), 400, "malformed_request"],
  ["another path", () => requestOf("GET /v1/nobody"), 404, "not_found"],
  ["a path that climbs", () => requestOf("GET /v1/../../etc/passwd"), 404, "not_found"],
  [
    "a path that climbs, escaped",
    () => requestOf("GET /%2e%2e/%2e%2e/etc/passwd"),
    404,
    "not_found",
  ],
  ["a path with a NUL", () => requestOf("GET /v1/%00"), 404, "not_found"],
  ["a path whose escape is none", () => requestOf("GET /v1/%zz"), 404, "not_found"],
  [
    "too many octets",
    (p) => requestOf(`POST ${pathOf(p)}`, { headers: [JSON_TYPE], body: TOO_MUCH }),
    413,
    "too_large",
  ],
  [
    "too many octets, of no length said",
    (p) => [
      `${line(`POST ${pathOf(p)}`)}\r\n${JSON_TYPE}\r\ntransfer-encoding: chunked\r\n\r\n`,
      `${TOO_MUCH.length.toString(16)}\r\n${TOO_MUCH}\r\n`,
    ],
    413,
    "too_large",
  ],
  [
    "too many octets, announced with Expect",
    (p) =>
      raw(
        `${line(`POST ${pathOf(p)}`)}\r\n${JSON_TYPE}\r\nexpect: 100-continue\r\ncontent-length: ${TOO_MUCH.length}`,
      ),
    413,
    "too_large",
  ],
  [
    "an expectation of nobody",
    (p) => raw(`${line(`${methodOf(p)} ${pathOf(p)}`)}\r\nexpect: wonders`),
    400,
    "malformed_request",
  ],
  [
    "too many octets of headers",
    () => requestOf("GET /", { headers: [`x: ${"y".repeat(20_000)}`] }),
    431,
    "too_large",
  ],
  [
    "two lengths",
    () => raw(`${line("POST /")}\r\ncontent-length: 1\r\ncontent-length: 2`),
    400,
    "malformed_request",
  ],
  [
    "a length and chunks",
    () => raw(`${line("POST /")}\r\ncontent-length: 1\r\ntransfer-encoding: chunked`),
    400,
    "malformed_request",
  ],
  [
    "a chunk of no size",
    () => [`${line("POST /")}\r\ntransfer-encoding: chunked\r\n\r\n`, "hello\r\n"],
    400,
    "malformed_request",
  ],
  ["no host", () => raw("GET / HTTP/1.1"), 400, "malformed_request"],
  ["two hosts", () => raw(`${line("GET /")}\r\nhost: localhost`), 400, "malformed_request"],
  [
    "an upgrade",
    () => raw(`${line("GET /nobody")}\r\nconnection: upgrade\r\nupgrade: websocket`),
    404,
    "not_found",
  ],
  ["a host that is none", () => raw("GET / HTTP/1.1\r\nhost: a/b"), 400, "malformed_request"],
  [
    "a header that is folded",
    () => raw(`${line("GET /")}\r\nx: a\r\n b`),
    400,
    "malformed_request",
  ],
  ["no HTTP", () => raw("hello"), 400, "malformed_request"],
  [
    "random octets",
    () => [Buffer.concat([Buffer.from([0x80]), randomBytes(64)])],
    400,
    "malformed_request",
  ],
];

describe.each(PLACES)("%s refuses", (place) => {
  it.each(ROWS)("%s", async (_name, octets, status, word) => {
    const reply = await exchange(dials[place], ...octets(place));
    expect([reply.status, reply.word]).toEqual([status, word]);
  });

  it.each(["headers", "body"])("%s that never end", async (part) => {
    const reply = await slow.get(`${place} ${part}`);
    expect([reply?.status, reply?.word]).toEqual([408, "malformed_request"]);
  });
});

const bad = "malformed_json";
const BODIES: readonly (readonly [
  name: string,
  body: string | Uint8Array,
  word: string,
  headers?: readonly string[],
])[] = [
  ["nothing", "", bad],
  ["half of an object", "{", bad],
  ["a list", "[]", bad],
  ["two objects", "{}{}", bad],
  ["a member twice", '{"aud":"a","aud":"b"}', bad],
  ["a member twice, once escaped", '{"aud":"a","\\u0061ud":"b"}', bad],
  ["a member that is __proto__", '{"__proto__":{"agent":"x"}}', bad],
  ["an unknown member", '{"nobody":1}', "malformed_request"],
  ["a byte order mark", "\ufeff{}", bad],
  ["half of a character", Buffer.from([0x7b, 0x22, 0xc3, 0x22, 0x7d]), bad],
  ["half of a surrogate pair", '{"a":"\\ud800"}', bad],
  ["a number that no double holds", '{"a":9007199254740993}', bad],
  ["depth", `${"[".repeat(2000)}${"]".repeat(2000)}`, bad],
  ["text", "{}", "unsupported_media_type", ["content-type: text/plain"]],
  ["no content type", "{}", "unsupported_media_type", []],
  ["a form", "a=b", "unsupported_media_type", ["content-type: application/x-www-form-urlencoded"]],
  ["another charset", "{}", "unsupported_media_type", [`${JSON_TYPE}; charset=utf-16`]],
  ["what is compressed", gzipSync("{}"), bad, [JSON_TYPE, "content-encoding: gzip"]],
];

describe.each(["api", "gateway", "admin", "door", "run", "console"] as const)(
  "%s takes one strict JSON object",
  (place) => {
    const rows = BODIES.map(
      ([name, body, word, headers = [JSON_TYPE]]) => [name, body, word, headers] as const,
    );
    it.each(rows)("not %s", async (_name, body, word, headers) => {
      const { post = "" } = KNOWN[place];
      const octets = requestOf(`POST ${post}`, {
        headers: [...headers, ...calledFrom(place)],
        body,
        ...calledAt(place),
      });
      const reply = await exchange(dials[place], ...octets);
      expect(reply.word).toBe(word);
    });
  },
);

describe("a credential at the wrong place", () => {
  const basic = (password: string): string =>
    `authorization: Basic ${Buffer.from(`:${password}`).toString("base64")}`;
  const enrol = (...headers: readonly string[]): Octets =>
    requestOf("POST /.well-known/est/simpleenroll", {
      headers: ["content-type: application/pkcs10", ...headers],
      body: "AAAA",
    });
  it.each<readonly [string, (good: string) => readonly string[]]>([
    ["two Authorization lines, the good one first", (good) => [basic(good), basic("A".repeat(22))]],
    ["two Authorization lines, the good one last", (good) => [basic("A".repeat(22)), basic(good)]],
    ["two of the same", (good) => [basic(good), basic(good)]],
    ["two on one line", (good) => [`${basic(good)}, Basic AAAA`]],
    ["one for a proxy in between", (good) => [`proxy-${basic(good)}`]],
    ["one in a cookie", (good) => [`cookie: ${basic(good)}`]],
    ["one as a bearer token", (good) => [`authorization: Bearer ${good}`]],
    ["a proof", () => ["authorization: WPT a.b.c"]],
  ])("%s enrols nobody, and the token is not spent", async (_name, headersOf) => {
    expect((await exchange(nobody, ...enrol(...headersOf(secret)))).word).toBe(
      "authentication_failed",
    );
    // the right place: what is refused now is the request for a certificate
    expect((await exchange(nobody, ...enrol(basic(secret)))).word).toBe("malformed_csr");
  });

  it("a secret in the query enrols nobody", async () => {
    const octets = requestOf("POST /.well-known/est/simpleenroll?secret=one", { body: "AAAA" });
    expect((await exchange(nobody, ...octets)).word).toBe("authentication_failed");
  });

  it.each([
    "/v1/nonce",
    "/v1/credential-requests",
    "/v1/presigned-consents",
    "/v1/owner-consents",
    "/.well-known/est/simplereenroll",
  ])("%s takes no header for a client certificate", async (path) => {
    const { cert = "" } = dials.api as { cert?: string };
    const der = cert.replaceAll(/-----[^-]+-----|\s/g, "");
    const headers = [
      JSON_TYPE,
      basic("one"),
      `client-cert: :${der}:`,
      "x-forwarded-client-cert: a",
    ];
    const octets = requestOf(`POST ${path}`, { headers, body: "{}" });
    expect((await exchange(nobody, ...octets)).word).toBe("client_certificate_required");
  });

  it("a proxy passes no certificate on, its own neither, and a gateway takes none from it", async () => {
    const { cert = "" } = dials.api as { cert?: string };
    const der = cert.slice(0, cert.indexOf("-----END")).replaceAll(/-----[^-]+-----|\s/g, "");
    const call = (...lines: readonly string[]): Octets =>
      requestOf("POST /v1/nonce", { headers: [JSON_TYPE, ...lines], body: "{}" });
    const own = `client-cert: :${der}:`;
    expect((await exchange(dials.api, ...call(own))).word).toBe("gateway_not_allowed");
    expect((await exchange(dials.api, ...call(own, own))).word).toBe("malformed_request");
    expect((await exchange(dials.api, ...call("client-cert: x"))).word).toBe("malformed_request");
    // the gateway writes its own line, whatever came
    for (const lines of [[own, own], ["client-cert: x"], [`client-cert: :${"A".repeat(4000)}:`]])
      expect((await exchange(dials.gateway, ...call(...lines))).word).toBe("200");
  });

  it.each([
    "POST /v1/nonce",
    "POST /v1/credential-requests",
    "GET /v1/state",
    "GET /.well-known/est/cacerts",
  ])("at a gateway, %s is for its proxies only", async (what) => {
    const anybody = { url: (dials.gateway as { url: URL }).url };
    const octets = requestOf(what, {
      headers: [JSON_TYPE],
      body: what.startsWith("GET") ? "" : "{}",
    });
    expect((await exchange(anybody, ...octets)).word).toBe("client_certificate_required");
  });

  it.each([
    "POST /.well-known/est/simpleenroll",
    "POST /v1/owner-consents",
    "POST /v1/gateway-tokens",
  ])("a gateway does not pass %s on", async (what) => {
    const octets = requestOf(what, { headers: [JSON_TYPE, basic(secret)], body: "{}" });
    expect((await exchange(dials.gateway, ...octets)).word).toBe("not_found");
  });

  it.each<readonly [string, string, readonly string[], string]>([
    ["the page by its address", "127.0.0.1", [], "GET /"],
    ["the page by another name", "rebound.test", [], "GET /"],
    ["a call of another page", PAGE, ["origin: https://evil.test"], "POST /v1/owner/sign-in/nonce"],
    ["a call of nobody", PAGE, [], "POST /v1/owner/sign-in/nonce"],
    ["a call from another site", PAGE, ["sec-fetch-site: cross-site"], "GET /v1/owner/console"],
  ])("the console does not answer %s", async (_name, host, headers, what) => {
    const reply = await exchange(dials.console, ...requestOf(what, { host, headers }));
    expect(reply.word).toBe("origin_mismatch");
  });

  it("the stream of states is nobody's", async () => {
    expect((await exchange(nobody, ...requestOf("GET /v1/state"))).word).toBe(
      "client_certificate_required",
    );
  });

  it("a listener with TLS answers nothing without", async () => {
    const { url } = nobody as { url: URL };
    const plain = new URL(url.href.replace("https:", "http:"));
    expect((await exchange({ url: plain }, ...requestOf("GET /"))).word).toBe("closed");
  });
});

describe("after all of that", () => {
  it("nothing is stored, and everything still serves", async () => {
    await Promise.all(slow.values());
    expect(await state()).toEqual(before); // also no row of a refusal: whoever asked was not heard as a proxy
    const running = [made.server, made.proxy, witness, gateway];
    expect(running.map(({ end }) => end)).toEqual(running.map(() => undefined));
    const words = await Promise.all(
      PLACES.map(async (place) => {
        const octets = requestOf(`${methodOf(place)} ${pathOf(place)}`, {
          headers: [JSON_TYPE],
          ...calledAt(place),
        });
        return [place, (await exchange(dials[place], ...octets)).word];
      }),
    );
    expect(Object.fromEntries(words)).toEqual({
      api: "200",
      gateway: "200",
      public: "200",
      admin: "200",
      door: expect.stringMatching(/^(200|loader_forbidden)$/), // as this process was started
      run: "malformed_json",
      proxy: "200",
      console: "200",
      witness: "400 as text/plain; charset=utf-8", // as C2SP says
    });
    const errors = running.flatMap(({ err }) =>
      err.filter((text) => text.includes('"level":"error"')),
    );
    expect(errors).toEqual([]);
  });
});
