import { connect } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  buildIssuingCa,
  buildProxy,
  buildRoot,
  buildServerTls,
  parseCertificate,
  pemEncode,
  Refusal,
} from "@countersign/core";
import type { Bytes, Certificate, Signer } from "@countersign/core";
import { generatePrivateKey, nodeCrypto as c, signerOf } from "../crypto.ts";
import { privateKeyToPem } from "../keys.ts";
import { codeOf } from "../refusal.testing.ts";
import { call } from "./client.ts";
import { serve } from "./serve.ts";
import type { Listener, TlsIdentity } from "./serve.ts";
import { openTarget } from "./target.ts";
import type { Target, TargetSpec } from "./target.ts";

/** OpenSSL compares with the host's clock: certificates here are valid from 2000 to 2049. */
const VALID = { notBefore: 946_684_800, notAfter: 2_493_072_000 };
const PAST = { notBefore: 946_684_800, notAfter: 978_307_200 };
const ORIGIN = "spiffe://example.org";
let serial = 0;
const opened: (Listener | Target)[] = [];

interface Ca {
  readonly root: string;
  readonly issuing: Certificate;
  readonly issuingPem: string;
  readonly by: Signer;
}
interface Leaf {
  readonly cert: string;
  readonly key: string;
  readonly der: Bytes;
}

function nextSerial(): Bytes {
  serial += 1;
  return new Uint8Array(16).fill(serial);
}

function pem(der: Bytes): string {
  return pemEncode("CERTIFICATE", der);
}

async function makeCa(): Promise<Ca> {
  const [top, by] = [signerOf(generatePrivateKey("P-256")), signerOf(generatePrivateKey("P-256"))];
  const base = { ...VALID, origin: ORIGIN, hierarchy: "infrastructure" as const, name: "test" };
  const root = await buildRoot(c, { ...base, serial: nextSerial() }, top);
  const issuer = parseCertificate(root);
  const input = { ...base, serial: nextSerial(), key: by.key, issuer };
  const issuing = await buildIssuingCa(c, input, top);
  return {
    root: pem(root),
    issuing: parseCertificate(issuing),
    issuingPem: pem(issuing),
    by,
  };
}

async function makeLeaf(
  ca: Ca,
  kind: "server" | "nameless" | "proxy",
  life = VALID,
): Promise<Leaf> {
  const key = generatePrivateKey("P-256");
  const common = { ...life, serial: nextSerial(), key: signerOf(key).key, issuer: ca.issuing };
  const der =
    kind !== "proxy"
      ? await buildServerTls(
          c,
          {
            ...common,
            uri: `${ORIGIN}/server`,
            dns: ["localhost"],
            ips: kind === "server" ? ["127.0.0.1"] : [],
          },
          ca.by,
        )
      : await buildProxy(c, { ...common, uri: `${ORIGIN}/proxy/host-a` }, ca.by);
  return { cert: pem(der) + ca.issuingPem, key: privateKeyToPem(key), der };
}

let ours: Ca;
let theirs: Ca;
let server: Leaf;
let proxy: Leaf;
let identity: TlsIdentity;

beforeAll(async () => {
  [ours, theirs] = [await makeCa(), await makeCa()];
  server = await makeLeaf(ours, "server");
  proxy = await makeLeaf(ours, "proxy");
  identity = { cert: server.cert, key: server.key, ca: [ours.root, ours.issuingPem] };
});
afterEach(async () => {
  for (const item of opened.splice(0).toReversed()) await item.close(0);
});

async function start(tls: TlsIdentity): Promise<Listener> {
  const listener = await serve({
    on: { host: "127.0.0.1", port: 0, tls },
    app: async (_request, peer: Bytes | undefined) =>
      new Response(peer === undefined ? "nobody" : Buffer.from(peer).toString("base64")),
    contextOf: (_socket, certificate) => certificate,
  });
  opened.push(listener);
  return listener;
}

async function whoAmI(port: number, change: Partial<TargetSpec> = {}): Promise<string> {
  const spec = { url: `https://127.0.0.1:${port}`, ca: [ours.root], ...change };
  const target = openTarget(spec);
  opened.push(target);
  const answer = await call(target, { method: "GET", path: "/" });
  return Buffer.from(answer.body).toString();
}

/** One handshake by hand. @returns what it came to, and a session if one was offered */
function handshake(
  options: ConnectionOptions,
): Promise<{ result: string; offered: Pick<ConnectionOptions, "session"> }> {
  return new Promise((resolve) => {
    let offered: Pick<ConnectionOptions, "session"> = {};
    const socket: TLSSocket = connect({ host: "127.0.0.1", ca: [ours.root], ...options });
    const end = (result: string): void => {
      socket.destroy();
      resolve({ result, offered });
    };
    socket.on("session", (session) => (offered = { session }));
    socket.on("error", (error) => end("code" in error ? String(error.code) : error.message));
    socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
    socket.on("data", () => end(`${socket.getProtocol()} resumed ${socket.isSessionReused()}`));
  });
}

describe("the certificate of a caller", () => {
  const known = (leaf: Leaf): string => Buffer.from(leaf.der).toString("base64");
  const rows: [string, () => Promise<Partial<TargetSpec>>, () => string][] = [
    ["none: the handshake passes, nobody is known", async () => ({}), () => "nobody"],
    ["ours, with its issuer", async () => proxy, () => known(proxy)],
    [
      "ours, without its issuer",
      async () => ({ ...proxy, cert: pem(proxy.der) }),
      () => known(proxy),
    ],
    ["of another root", async () => makeLeaf(theirs, "proxy"), () => "nobody"],
    ["expired", async () => makeLeaf(ours, "proxy", PAST), () => "nobody"],
    ["for servers only", async () => makeLeaf(ours, "server"), () => "nobody"],
  ];
  it.each(rows)("%s", async (_name, client, seen) => {
    const { port } = await start(identity);
    expect(await whoAmI(port, await client())).toBe(seen());
  });

  it("is not asked for where no roots are given", async () => {
    const { port } = await start({ cert: server.cert, key: server.key });
    expect(await whoAmI(port, proxy)).toBe("nobody");
  });
});

describe("the handshake", () => {
  it.each([
    ["TLSv1.3", "TLSv1.3 resumed false"],
    ["TLSv1.2", "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"],
  ] as const)("%s", async (version, result) => {
    const { port } = await start(identity);
    const options = { port, minVersion: version, maxVersion: version };
    expect((await handshake(options)).result).toBe(result);
  });

  it("cannot be resumed", async () => {
    const { port } = await start(identity);
    const first = await handshake({ port });
    expect((await handshake({ port, ...first.offered })).result).toBe("TLSv1.3 resumed false");
  });

  it("shows another certificate after it was replaced, and still asks for the caller's", async () => {
    const { port, replaceTls } = await start(identity);
    const leaves: string[] = [];
    const checkPeer = (der: Bytes): void => void leaves.push(Buffer.from(der).toString("hex"));
    await whoAmI(port, { checkPeer });
    const next = await makeLeaf(ours, "server");
    replaceTls({ ...identity, cert: next.cert, key: next.key });
    expect(await whoAmI(port, { checkPeer, ...proxy })).toBe(
      Buffer.from(proxy.der).toString("base64"),
    );
    expect(leaves).toEqual([server.der, next.der].map((der) => Buffer.from(der).toString("hex")));
    const old = { port, maxVersion: "TLSv1.2", minVersion: "TLSv1.2" } as const;
    expect((await handshake(old)).result).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
  });
});

describe("whom a target accepts", () => {
  const refuse = (): never => {
    throw new Refusal("trust_domain_mismatch");
  };
  const rows: [string, () => Promise<Leaf>, () => Partial<TargetSpec>, string][] = [
    ["a pinned root and a name that fits", async () => server, () => ({}), "ok"],
    [
      "a pinned root and a good word",
      async () => server,
      () => ({ checkPeer: () => undefined }),
      "ok",
    ],
    ["a bad word", async () => server, () => ({ checkPeer: refuse }), "trust_domain_mismatch"],
    ["another root", async () => server, () => ({ ca: [theirs.root] }), "untrusted_chain"],
    ["no root at all", async () => server, () => ({ ca: [] }), "untrusted_chain"],
    ["the system's roots", async () => server, () => ({ ca: "system" }), "untrusted_chain"],
    [
      "a good word does not make up for another root",
      async () => server,
      () => ({ ca: [theirs.root], checkPeer: () => undefined }),
      "untrusted_chain",
    ],
    ["expired", async () => makeLeaf(ours, "server", PAST), () => ({}), "untrusted_chain"],
    ["not a server", async () => proxy, () => ({ checkPeer: () => undefined }), "untrusted_chain"],
    ["no name that fits", async () => makeLeaf(ours, "nameless"), () => ({}), "untrusted_chain"],
    [
      "no name that fits, and a good word",
      async () => makeLeaf(ours, "nameless"),
      () => ({ checkPeer: () => undefined }),
      "ok",
    ],
    [
      "any server, asked for by its dangerous name",
      async () => server,
      () => ({ ca: [theirs.root], insecureAnyServer: true }),
      "ok",
    ],
  ];
  it.each(rows)("%s", async (_name, leaf, change, code) => {
    const { port } = await start({ ...identity, ...(await leaf()) });
    expect(await codeOf(() => whoAmI(port, change()))).toBe(code);
  });

  it("asks at every handshake", async () => {
    const { port } = await start(identity);
    let asked = 0;
    const spec = { url: `https://127.0.0.1:${port}`, ca: [ours.root] };
    const target = openTarget({ ...spec, checkPeer: () => void (asked += 1) });
    opened.push(target);
    for (let i = 0; i < 3; i += 1) {
      await call(target, { method: "GET", path: "/", headers: { connection: "close" } });
      expect(asked).toBe(i + 1);
    }
  });
});
