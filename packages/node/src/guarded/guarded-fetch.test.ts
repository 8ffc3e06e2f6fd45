import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { createServer as createHttp } from "node:http";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  buildIssuingCa,
  buildRoot,
  buildServerTls,
  parseCertificate,
  pemEncode,
  utf8,
} from "@countersign/core";
import { generatePrivateKey, nodeCrypto as c, signerOf } from "../crypto.ts";
import { privateKeyToPem } from "../keys.ts";
import { codeOf } from "../refusal.testing.ts";
import { createGuardedFetch } from "./guarded-fetch.ts";
import type { GuardedFetchOptions } from "./guarded-fetch.ts";

/** OpenSSL compares with the host's clock: certificates here are valid from 2000 to 2049. */
const VALID = { notBefore: 946_684_800, notAfter: 2_493_072_000 };
const HOST = "hooks.example.net";

async function certified(): Promise<{ root: string; cert: string; key: string }> {
  const [top, by] = [signerOf(generatePrivateKey("P-256")), signerOf(generatePrivateKey("P-256"))];
  const key = generatePrivateKey("P-256");
  const origin = "spiffe://example.org";
  const base = { ...VALID, origin, hierarchy: "infrastructure" as const, name: "test" };
  const root = await buildRoot(c, { ...base, serial: new Uint8Array(16).fill(1) }, top);
  const issuing = await buildIssuingCa(
    c,
    {
      ...base,
      serial: new Uint8Array(16).fill(2),
      key: by.key,
      issuer: parseCertificate(root),
    },
    top,
  );
  const leaf = await buildServerTls(
    c,
    {
      ...VALID,
      serial: new Uint8Array(16).fill(3),
      key: signerOf(key).key,
      issuer: parseCertificate(issuing),
      uri: `${origin}/server`,
      dns: [HOST],
      ips: ["127.0.0.1"],
    },
    by,
  );
  const pem = (der: Uint8Array): string => pemEncode("CERTIFICATE", der);
  return { root: pem(root), cert: pem(leaf) + pem(issuing), key: privateKeyToPem(key) };
}

let root = "";
let secure: Server;
let plain: Server;
/** What came in: nobody was called where it stays empty. */
const calls: string[] = [];
let answer: (incoming: IncomingMessage, outgoing: ServerResponse) => void;

async function listening(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
const portOf = (server: Server): number => (server.address() as AddressInfo).port; // it listens on TCP

beforeAll(async () => {
  const { root: made, cert, key } = await certified();
  root = made;
  const listener: RequestListener = (incoming, outgoing) => {
    calls.push(`${incoming.method} ${incoming.headers.host} ${incoming.url}`);
    answer(incoming, outgoing);
  };
  secure = await listening(createHttps({ cert, key }, listener));
  plain = await listening(createHttp(listener));
});
beforeEach(() => {
  calls.length = 0;
  answer = (_incoming, outgoing) => outgoing.end("ok");
});
afterAll(() => {
  for (const server of [secure, plain]) {
    server.closeAllConnections();
    server.close();
  }
});

const LOOPBACK = ["127.0.0.1/32"];
const resolving = (...addresses: string[]): NonNullable<GuardedFetchOptions["resolve"]> => {
  return () => Promise.resolve(addresses);
};

/** What a call comes to: the status, or the code of the refusal. */
async function outcome(
  given: GuardedFetchOptions,
  url: string = `https://${HOST}:${portOf(secure)}/a`,
  request: object = {},
): Promise<string> {
  let status = "";
  const options = { networks: LOOPBACK, ca: [root], resolve: resolving("127.0.0.1"), ...given };
  const code = await codeOf(async () => {
    const { status: said } = await createGuardedFetch(options)(url, { method: "GET", ...request });
    status = String(said);
  });
  return code === "ok" ? status : code;
}

describe("a call of an address that somebody else chose (T45)", () => {
  it("goes to the address that was judged, as the host that was named", async () => {
    const asked: string[] = [];
    const resolve = (host: string): Promise<readonly string[]> => {
      asked.push(host);
      return Promise.resolve(["127.0.0.1"]);
    };
    expect(await outcome({ resolve })).toBe("200");
    expect(asked).toEqual([HOST]);
    expect(calls).toEqual([`GET ${HOST}:${portOf(secure)} /a`]);
  });

  it.each([
    ["a name on loopback", ["127.0.0.1"]],
    ["a name on a private network", ["10.0.0.5"]],
    ["a name of the metadata service", ["169.254.169.254"]],
    ["a name that means this host", ["0.0.0.0"]],
    ["a mapped address", ["::ffff:127.0.0.1"]],
    ["a public address beside a private one", ["198.41.0.4", "10.0.0.5"]],
    ["a private address beside a public one", ["10.0.0.5", "198.41.0.4"]],
    ["what is no address", ["localhost"]],
    ["more addresses than are looked at", Array<string>(17).fill("198.41.0.4")],
  ])("%s is refused before anything is called", async (_what, addresses) => {
    expect(await outcome({ networks: [], resolve: resolving(...addresses) })).toBe(
      "address_refused",
    );
    expect(calls).toEqual([]);
  });

  it.each([
    ["loopback", (port: number) => `https://127.0.0.1:${port}/`],
    ["loopback as a number", (port: number) => `https://2130706433:${port}/`],
    ["loopback in IPv6", (port: number) => `https://[::1]:${port}/`],
    ["a user before it", (port: number) => `https://${HOST}@127.0.0.1:${port}/`],
  ])("an address in the URL is judged too: %s", async (_what, urlOf) => {
    expect(await outcome({ networks: [] }, urlOf(portOf(secure)))).toBe("address_refused");
    expect(calls).toEqual([]);
  });

  it("a name server that says something else the second time is not asked twice", async () => {
    let count = 0;
    const rebinding = (): Promise<readonly string[]> => {
      count += 1;
      return Promise.resolve([count === 1 ? "127.0.0.1" : "169.254.169.254"]);
    };
    expect(await outcome({ resolve: rebinding })).toBe("200");
    expect(count).toBe(1);
    expect(calls).toHaveLength(1);
  });

  it.each([301, 302, 303, 307, 308])(
    "a redirect is an answer: %i is not followed",
    async (status) => {
      answer = (_incoming, outgoing) => {
        outgoing
          .writeHead(status, { location: `https://${HOST}:${portOf(secure)}/metadata` })
          .end();
      };
      expect(await outcome({})).toBe(String(status));
      expect(calls).toHaveLength(1);
    },
  );

  it("another address is tried where the first was not connected to", async () => {
    // nothing listens on that address of loopback, where the port is taken on 127.0.0.1 only
    const given = { networks: ["127.0.0.0/8"], resolve: resolving("127.0.0.2", "127.0.0.1") };
    expect(await outcome(given)).toBe("200");
    expect(calls).toHaveLength(1);
  });

  it.each([
    ["a certificate of nobody that is known", { ca: undefined }, undefined],
    ["a certificate of another host", {}, "https://other.example.net"],
  ])("%s is refused", async (_what, given, origin) => {
    const url = origin === undefined ? undefined : `${origin}:${portOf(secure)}/`;
    const { ca: _system, ...rest } = { ca: [root], ...given };
    const options = "ca" in given ? { ...rest, ca: [] } : rest;
    expect(await outcome(options, url)).toBe("untrusted_chain");
    expect(calls).toEqual([]);
  });

  it("an address in the URL is what its certificate has to name", async () => {
    expect(await outcome({}, `https://127.0.0.1:${portOf(secure)}/`)).toBe("200");
  });

  it("plain http only where it is listed", async () => {
    const origin = `http://${HOST}:${portOf(plain)}`;
    expect(await outcome({}, `${origin}/`)).toBe("address_refused");
    expect(await outcome({ insecureHttpOrigins: [origin] }, `${origin}/`)).toBe("200");
    expect(await outcome({ insecureHttpOrigins: [origin], networks: [] }, `${origin}/`)).toBe(
      "address_refused",
    );
    expect(calls).toHaveLength(1);
  });

  it("a name without an address is nobody", async () => {
    expect(await outcome({ resolve: resolving() })).toBe("unreachable");
  });

  it.each([
    ["as much as is read", 100, "200"],
    ["one octet more", 101, "too_large"],
  ])("an answer of %s", async (_what, length, code) => {
    answer = (_incoming, outgoing) => outgoing.end("x".repeat(length));
    expect(await outcome({}, undefined, { maxBytes: 100 })).toBe(code);
  });

  it("more than may be sent is not sent", async () => {
    const body = utf8("x".repeat(65_537));
    expect(await outcome({}, undefined, { method: "POST", body })).toBe("too_large");
    expect(calls).toEqual([]);
  });

  it.each([
    ["the answer", {}, () => undefined],
    [
      "the rest of it",
      {},
      (_incoming: IncomingMessage, outgoing: ServerResponse) => {
        outgoing.writeHead(200, { "content-length": "2" });
        outgoing.write("x");
      },
    ],
    ["the name server", { resolve: () => new Promise<never>(() => undefined) }, () => undefined],
  ] as const)("who lets us wait for %s is given up", async (_what, given, slow) => {
    answer = slow;
    expect(await outcome(given, undefined, { timeoutMs: 50 })).toBe("unreachable");
  });

  it("ends with its caller's signal", async () => {
    const ended = new AbortController();
    answer = () => ended.abort();
    expect(await outcome({}, undefined, { signal: ended.signal })).toBe("unreachable");
    expect(await outcome({}, undefined, { signal: ended.signal })).toBe("unreachable");
    expect(calls).toHaveLength(1);
  });
});

/** A name server on loopback that says what the test tells it to, for no time at all (TTL 0). */
class NameServer {
  readonly #socket: Socket = createSocket("udp4");
  asked: string[] = [];
  /** For a question of type A; undefined: it does not answer. */
  answer: () => readonly number[] | undefined = () => undefined;

  async open(): Promise<string> {
    this.#socket.on("message", (query, { port, address }) => {
      const end = query.indexOf(0, 12) + 5;
      const isA = query.readUInt16BE(end - 4) === 1;
      this.asked.push(isA ? "A" : "AAAA");
      const octets = this.answer();
      if (octets === undefined) return;
      const head = Buffer.from(query.subarray(0, end));
      head.writeUInt16BE(0x8180, 2); // an answer, without error
      head.writeUInt16BE(isA ? 1 : 0, 6);
      head.writeUInt32BE(0, 8);
      const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...octets]);
      this.#socket.send(isA ? Buffer.concat([head, record]) : head, port, address);
    });
    await new Promise<void>((resolve) => this.#socket.bind(0, "127.0.0.1", resolve));
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): void {
    this.#socket.close();
  }
}

describe("name servers that somebody else runs", () => {
  let names: NameServer;
  let nameServers: readonly string[];
  beforeEach(async () => {
    names = new NameServer();
    nameServers = [await names.open()];
  });
  afterEach(() => names.close());

  async function told(networks: readonly string[], timeoutMs = 10_000): Promise<string> {
    const guarded = createGuardedFetch({ networks, ca: [root], nameServers });
    const url = `https://${HOST}:${portOf(secure)}/`;
    let said = "";
    const code = await codeOf(async () => {
      const { status } = await guarded(url, { method: "GET", timeoutMs });
      said = String(status);
    });
    return code === "ok" ? said : code;
  }

  it("say once where the host is, whatever they would say next", async () => {
    let count = 0;
    names.answer = () => {
      count += names.asked.at(-1) === "A" ? 1 : 0;
      return count <= 1 ? [127, 0, 0, 1] : [169, 254, 169, 254];
    };
    expect(await told(LOOPBACK)).toBe("200");
    expect(names.asked.toSorted()).toEqual(["A", "AAAA"]);
    expect(await told(LOOPBACK)).toBe("address_refused");
    expect(calls).toHaveLength(1);
  });

  it.each([
    ["loopback", [127, 0, 0, 1]],
    ["the metadata service", [169, 254, 169, 254]],
    ["nothing", [0, 0, 0, 0]],
  ])("that say %s are not believed", async (_what, octets) => {
    names.answer = () => octets;
    expect(await told([])).toBe("address_refused");
    expect(calls).toEqual([]);
  });

  it("that say nothing are waited for no longer than the whole may take", async () => {
    expect(await told(LOOPBACK, 50)).toBe("unreachable");
  });
});
