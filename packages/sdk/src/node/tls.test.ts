import { once } from "node:events";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseCertificate, pemDecode, pemEncode, Refusal } from "@countersign/core";
import type { Trust } from "@countersign/core";
import type { TlsIdentity } from "../agent/tls-identity.ts";
import { relyingParty } from "../verify/index.ts";
import type { RelyingPartyOptions } from "../verify/index.ts";
import type { MutualTlsClient, MutualTlsClientOptions } from "./tls-client.ts";
import { mutualTlsClient } from "./tls-client.ts";
import type { MutualTlsServerOptions } from "./tls-server.ts";
import { mutualTlsServer } from "./tls-server.ts";
import {
  CALLER,
  Hands,
  identityOf,
  makeDomain,
  NOW,
  ORIGIN,
  SERVICE,
  Source,
  trustOf,
} from "./tls.testing.ts";
import type { Domain } from "./tls.testing.ts";

let domain: Domain;
let other: Domain;
let trust: Trust;
beforeAll(async () => {
  domain = await makeDomain();
  other = await makeDomain();
  trust = await trustOf(domain.root);
});

let hands: Hands;
const servers: Server[] = [];
const clients: MutualTlsClient[] = [];
beforeEach(() => {
  hands = new Hands();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    if (server.listening) await once(server.close(), "close");
  }
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port; // it listens on TCP
}

/** A service that answers with who called and with the serial that the caller's connection was made with. */
async function serve(
  source: Source,
  options: Partial<MutualTlsServerOptions> = {},
  party: Partial<RelyingPartyOptions> = {},
): Promise<{ readonly port: number; readonly server: Server }> {
  const demand = { proof: "none" } as const;
  const resources = ["https://service.example"];
  const judge = relyingParty({ trust, resources, clock: hands.clock, demand, ...party });
  const server = mutualTlsServer(
    judge,
    ({ caller }, response) => void response.end(caller.agent),
    { source, ...options },
    hands,
  );
  return { port: await listening(server), server };
}

function clientOf(source: Source, options: Partial<MutualTlsClientOptions> = {}): MutualTlsClient {
  const client = mutualTlsClient({ source, trust, agent: SERVICE, ...options }, hands);
  clients.push(client);
  return client;
}

interface Got {
  readonly status: number;
  readonly body: string;
  readonly socket: TLSSocket;
  /** Serial of the certificate that the other side showed. */
  readonly shown: string;
}

function get(client: MutualTlsClient, port: number): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = client.request(`https://127.0.0.1:${port}/a?b`, {}, (response) => {
      const socket = response.socket as TLSSocket; // of an https request
      const shown = socket.getPeerCertificate().serialNumber.toLowerCase();
      let body = "";
      response.on("data", (piece: Buffer) => (body += piece.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body, socket, shown }));
    });
    request.on("error", reject);
    request.end();
  });
}

const serialOf = ({ cert }: TlsIdentity): string =>
  parseCertificate(pemDecode(cert, "CERTIFICATE", 2)[0] ?? new Uint8Array()).serialHex;

const failure = async (run: Promise<unknown>): Promise<string> => {
  const error: unknown = await run.then(() => "none").catch((thrown: unknown) => thrown);
  if (error instanceof Refusal) return error.code;
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
};

describe("two agents with keys of their own", () => {
  it("know each other by their whole names", async () => {
    const service = new Source(await identityOf(domain, SERVICE));
    const { port } = await serve(service);
    const client = clientOf(new Source(await identityOf(domain, CALLER)));
    const got = await get(client, port);
    expect([got.status, got.body]).toEqual([200, CALLER]);
    expect([got.socket.getProtocol(), got.socket.isSessionReused()]).toEqual(["TLSv1.3", false]);
  });

  it("use one connection while nothing changes, and another after a renewal of either", async () => {
    const service = new Source(await identityOf(domain, SERVICE));
    const caller = new Source(await identityOf(domain, CALLER));
    const { port } = await serve(service);
    const client = clientOf(caller);
    const first = await get(client, port);
    expect((await get(client, port)).socket).toBe(first.socket);
    caller.set(await identityOf(domain, CALLER));
    const second = await get(client, port);
    expect(second.socket).not.toBe(first.socket);
    const renewed = await identityOf(domain, SERVICE);
    service.set(renewed);
    const last = await get(client, port);
    expect([last.socket === second.socket, last.shown === serialOf(renewed)]).toEqual([
      true,
      false,
    ]);
    const third = await get(client, port);
    expect([third.socket === second.socket, third.shown]).toEqual([false, serialOf(renewed)]);
    expect(third.socket.isSessionReused()).toBe(false);
  });

  it("renewals under load lose no request", async () => {
    const service = new Source(await identityOf(domain, SERVICE));
    const caller = new Source(await identityOf(domain, CALLER));
    const { port } = await serve(service);
    const client = clientOf(caller);
    const statuses: number[] = [];
    const lane = async (): Promise<void> => {
      for (let turn = 0; turn < 25; turn += 1) statuses.push((await get(client, port)).status);
    };
    const renewing = async (): Promise<void> => {
      for (let turn = 0; turn < 10; turn += 1) {
        service.set(await identityOf(domain, SERVICE));
        caller.set(await identityOf(domain, CALLER));
        await get(client, port);
      }
    };
    await Promise.all([lane(), lane(), lane(), lane(), renewing()]);
    expect(statuses).toEqual(Array.from({ length: 100 }, () => 200));
  });

  it.each(["caller", "service"])(
    "a connection ends with the certificate of the %s",
    async (side) => {
      const end = (name: string): number => NOW + (name === side ? 60 : 900);
      const { port } = await serve(new Source(await identityOf(domain, SERVICE, end("service"))));
      const client = clientOf(new Source(await identityOf(domain, CALLER, end("caller"))));
      const { socket } = await get(client, port);
      const closed = once(socket, "close");
      hands.pass(59);
      expect(socket.destroyed).toBe(false);
      hands.pass(1);
      await closed;
    },
  );

  it("a connection ends with the certificate that it was made with, although there is a newer one", async () => {
    const service = new Source(await identityOf(domain, SERVICE, NOW + 60));
    const { port, server } = await serve(service);
    const accepted = once(server, "secureConnection");
    const raw = await handshake(port, await identityOf(domain, CALLER));
    await accepted;
    service.set(await identityOf(domain, SERVICE, NOW + 900));
    const closed = once(raw, "close");
    hands.pass(60);
    await closed;
    expect(server.listening).toBe(true);
  });

  it("a stop of the service ends its connections, and it takes none", async () => {
    const service = new Source(await identityOf(domain, SERVICE));
    const { port } = await serve(service);
    const client = clientOf(new Source(await identityOf(domain, CALLER)));
    const { socket } = await get(client, port);
    const closed = once(socket, "close");
    service.set(undefined);
    await closed;
    expect(await failure(get(client, port))).not.toBe("none");
    service.set(await identityOf(domain, SERVICE));
    expect((await get(client, port)).status).toBe(200);
  });

  it("a stop of the caller ends his connections, and he makes none", async () => {
    const caller = new Source(await identityOf(domain, CALLER));
    const { port } = await serve(new Source(await identityOf(domain, SERVICE)));
    const client = clientOf(caller);
    const { socket } = await get(client, port);
    const closed = once(socket, "close");
    caller.set(undefined);
    await closed;
    expect(() => client.request(`https://127.0.0.1:${port}/`)).toThrow("no_credential");
  });
});

/** A handshake by hand, with a certificate or without. Ends when the server has answered it. */
async function handshake(
  port: number,
  identity: TlsIdentity | undefined,
  more: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({
    host: "127.0.0.1",
    port,
    ca: pemEncode("CERTIFICATE", domain.root),
    checkServerIdentity: () => undefined, // the server is not what is tested here
    ...(identity === undefined ? {} : { cert: identity.cert, key: identity.key }),
    ...more,
  });
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => {
    socket.once("secureConnect", resolve).once("close", () => resolve());
  });
  return socket;
}

/** What the server answers to a request over this socket; nothing where it closes. */
async function answerOver(socket: TLSSocket): Promise<string> {
  let text = "";
  socket.on("data", (piece: Buffer) => (text += piece.toString()));
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  if (!socket.closed) await once(socket, "close").catch(() => undefined);
  return text.split("\r\n")[0] ?? "";
}

describe("the server", () => {
  it.each<readonly [string, () => Promise<TlsIdentity | undefined>, string]>([
    ["a caller of the trust domain", () => identityOf(domain, CALLER), "HTTP/1.1 200 OK"],
    ["nobody", () => Promise.resolve(undefined), ""],
    ["a caller under another root", () => identityOf(other, CALLER), ""],
    [
      "a caller of another trust domain under this root",
      () => identityOf(domain, "spiffe://other.example/agent/x/0011223344556677"),
      "HTTP/1.1 400 Bad Request",
    ],
    ["a caller whose certificate is over", () => identityOf(domain, CALLER, NOW - 61), ""],
  ])("answers %s → %#", async (_name, identity, line) => {
    const { port } = await serve(new Source(await identityOf(domain, SERVICE)));
    expect(await answerOver(await handshake(port, await identity()))).toBe(line);
  });

  it("speaks TLS 1.3 only", async () => {
    const { port } = await serve(new Source(await identityOf(domain, SERVICE)));
    const raw = await handshake(port, await identityOf(domain, CALLER), { maxVersion: "TLSv1.2" });
    expect(raw.getProtocol()).not.toBe("TLSv1.2");
  });

  it("resumes no session", async () => {
    const { port } = await serve(new Source(await identityOf(domain, SERVICE)));
    const identity = await identityOf(domain, CALLER);
    const raw = await handshake(port, identity);
    const sessions: Buffer[] = [];
    raw.on("session", (session: Buffer) => sessions.push(session));
    expect(await answerOver(raw)).toBe("HTTP/1.1 200 OK");
    for (const session of sessions) {
      const again = await handshake(port, identity, { session });
      expect(again.isSessionReused()).toBe(false);
      // without its certificate it is nobody
      expect(await answerOver(await handshake(port, undefined, { session }))).toBe("");
      again.destroy();
    }
  });

  it("judges the caller anew at every request", async () => {
    const { port } = await serve(
      new Source(await identityOf(domain, SERVICE)),
      {},
      {
        demand: { proof: "verified" },
      },
    );
    const client = clientOf(new Source(await identityOf(domain, CALLER)));
    const bare = await get(client, port);
    expect([bare.status, JSON.parse(bare.body)]).toMatchObject([400, { reason: "wit_missing" }]);
    const shown = clientOf(new Source(await identityOf(domain, CALLER)), { showOwner: true });
    const { body } = await get(shown, port);
    expect(JSON.parse(body)).toMatchObject({ reason: "wrong_type", link: "wit" });
  });

  it("needs a certificate to show, and one trust domain", async () => {
    await expect(serve(new Source(undefined))).rejects.toThrow("no_credential");
    const two = new Map([...trust, ["spiffe://b.example", trust.get(ORIGIN)]]) as Trust; // both there
    const source = new Source(await identityOf(domain, SERVICE));
    await expect(serve(source, {}, { trust: two })).rejects.toThrow("configuration_invalid");
    expect((await serve(source, { origin: ORIGIN }, { trust: two })).port).toBeGreaterThan(0);
  });
});

describe("the client", () => {
  async function outcome(
    identity: TlsIdentity,
    options: Partial<MutualTlsClientOptions> = {},
  ): Promise<string> {
    const plain = createServer(
      { cert: identity.cert, key: identity.key },
      (_request, response) => void response.end("hello"),
    );
    const port = await listening(plain);
    const client = clientOf(new Source(await identityOf(domain, CALLER)), options);
    return failure(get(client, port));
  }

  it.each<readonly [string, () => Promise<TlsIdentity>, string]>([
    ["the agent that is called", () => identityOf(domain, SERVICE), "none"],
    ["another agent of the trust domain", () => identityOf(domain, CALLER), "untrusted_chain"],
    ["an agent whose name begins so", () => identityOf(domain, `${SERVICE}/x`), "untrusted_chain"],
    [
      "an agent of another trust domain under this root",
      () => identityOf(domain, SERVICE.replace("example.org", "other.example")),
      "trust_domain_mismatch",
    ],
    ["a certificate that is over here", () => identityOf(domain, SERVICE, NOW - 1), "expired"],
  ])("talks to %s → %#", async (_name, identity, code) => {
    expect(await outcome(await identity())).toBe(code);
  });

  it("does not talk to that name under another root", async () => {
    expect(await outcome(await identityOf(other, SERVICE))).toMatch(/UNABLE|SELF_SIGNED/);
  });

  it("takes the roots of now", async () => {
    const service = new Source(await identityOf(domain, SERVICE));
    const { port } = await serve(service);
    const stale = await trustOf(other.root);
    const client = clientOf(new Source(await identityOf(domain, CALLER)), { trust: stale });
    expect(await failure(get(client, port))).toMatch(/UNABLE|SELF_SIGNED/);
  });

  it("refuses a development trust domain unless told otherwise", async () => {
    const one = trust.get(ORIGIN);
    if (one === undefined) throw new Error("no trust");
    const origins = ["http://localhost:1"];
    const bundle = { ...one.bundle, consent: { ...one.bundle.consent, origins } };
    const development = { ...one, bundle };
    const identity = await identityOf(domain, SERVICE);
    const trusting = (insecureAcceptDevelopment: boolean): Trust =>
      new Map([[ORIGIN, { ...development, insecureAcceptDevelopment }]]);
    expect(await outcome(identity, { trust: trusting(false) })).toBe("development_refused");
    expect(await outcome(identity, { trust: trusting(true) })).toBe("none");
  });

  it("is for one whole name of a configured trust domain", async () => {
    const source = new Source(await identityOf(domain, CALLER));
    expect(() => clientOf(source, { agent: "service" })).toThrow("invalid_identifier");
    expect(() => clientOf(source, { agent: "spiffe://b.example/agent/x" })).toThrow(
      "configuration_invalid",
    );
  });
});
