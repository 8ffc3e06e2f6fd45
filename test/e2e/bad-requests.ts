import { connect } from "node:net";
import { Agent as PlainAgent, request as plainRequest } from "node:http";
import type { OutgoingHttpHeaders, RequestOptions } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { createHash } from "node:crypto";

/** Where a server listens, and who calls it. */
export interface Doors {
  readonly api: URL;
  readonly public: URL;
  readonly console: URL;
  readonly adminSocket: string;
  readonly cert: string;
  readonly key: string;
}

/** What became of one call: a status, or the code of the connection's end. */
export type Fate = number | string;

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly headers?: OutgoingHttpHeaders;
}

const CONSOLE_HOST = "consent.example.org";
const OVERSIZED = new Uint8Array(70_000).fill(0x61);
const DEEP = "[".repeat(500) + "]".repeat(500);
const LONG = "x".repeat(20_000);
const WORKERS = 8;
const SILENCE_MS = 10_000;

/** A value that never was before: whatever is remembered for each caller or name must be bounded. */
const fresh = (n: number): string => createHash("sha256").update(`bad ${n}`).digest("base64url");
const foreign = (n: number): string => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { aud: "https://id.example.com", nonce: fresh(n), iat: n, exp: n + 300 };
  return `${part({ alg: "ES256", typ: "countersign-request+jwt" })}.${part(claims)}.${fresh(n)}${fresh(n)}`.slice(
    0,
    4000,
  );
};

/** Calls to every listener, each of which must be refused. */
export class BadRequests {
  readonly fates: Map<string, number> = new Map();
  readonly #doors: Doors;
  readonly #known: TlsAgent;
  readonly #unknown: TlsAgent;
  readonly #plain: PlainAgent = new PlainAgent({ keepAlive: true, maxSockets: WORKERS });
  #sent = 0;

  constructor(doors: Doors) {
    this.#doors = doors;
    const { cert, key } = doors;
    const common = { rejectUnauthorized: false, maxSockets: WORKERS }; // nothing that is sent is secret
    this.#known = new TlsAgent({ ...common, cert, key, keepAlive: true });
    this.#unknown = new TlsAgent({ ...common, keepAlive: false }); // a handshake for each
  }

  /** Sends so many more. */
  send(count: number): Promise<void> {
    return this.#several(count, this.#kinds);
  }

  /** Sends requests in order: work that a server does all day. */
  sendGood(count: number): Promise<void> {
    const get = (path: string): Kind => this.#public(path, () => ({ method: "GET", path }));
    const nonce = this.#api("nonce", () => ({ path: "/v1/nonce", body: "{}" }));
    return this.#several(count, [nonce, get("/bundle"), get("/jwks"), get("/log/checkpoint")]);
  }

  async #several(count: number, kinds: readonly [Kind, ...Kind[]]): Promise<void> {
    const end = this.#sent + count;
    const work = async (): Promise<void> => {
      while (this.#sent < end) {
        const n = this.#sent;
        this.#sent += 1;
        const { name, act } = kinds[n % kinds.length] ?? kinds[0];
        const fate = `${name}: ${await act(n)}`;
        this.fates.set(fate, (this.fates.get(fate) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
  }

  close(): void {
    for (const agent of [this.#known, this.#unknown, this.#plain]) agent.destroy();
  }

  readonly #kinds: readonly [Kind, ...Kind[]] = [
    this.#api("malformed", () => ({ path: "/v1/credential-requests", body: "{" })),
    this.#api("too deep", () => ({ path: "/v1/nonce", body: DEEP })),
    this.#api("oversized", () => ({ path: "/v1/credential-requests", body: OVERSIZED })),
    this.#api("foreign", (n) => {
      const token = foreign(n);
      const body = JSON.stringify({ request: token, evidence: token, endorsement: token });
      return { path: "/v1/credential-requests", body };
    }),
    this.#api("checkpoint of nobody", (n) => ({
      path: "/v1/nonce",
      body: JSON.stringify({ seen: { seq: n, checkpoint: fresh(n) } }),
    })),
    this.#api("request for a certificate that is none", (n) => ({
      path: "/.well-known/est/simplereenroll",
      body: fresh(n),
      headers: { "content-type": "application/pkcs10" },
    })),
    this.#api("no such path", (n) => ({ method: "GET", path: `/${fresh(n)}` })),
    {
      name: "api, nobody",
      act: (n) => this.#tls(this.#unknown, { path: "/v1/credential-requests", body: fresh(n) }),
    },
    {
      name: "api, join token of nobody",
      act: (n) =>
        this.#tls(this.#unknown, {
          path: "/.well-known/est/simpleenroll",
          body: fresh(n),
          headers: {
            "content-type": "application/pkcs10",
            authorization: `Basic ${Buffer.from(`:${fresh(n)}`).toString("base64")}`,
          },
        }),
    },
    { name: "api, no TLS", act: (n) => this.#octets(this.#doors.api, `GET /${fresh(n)}\r\n\r\n`) },
    this.#public("no such path", (n) => ({ method: "GET", path: `/${fresh(n)}` })),
    this.#public("no such evidence", (n) => ({
      method: "GET",
      path: `/e/${fresh(n)}/${fresh(n)}`,
    })),
    this.#public("no such leaf", (n) => ({ method: "GET", path: `/log/entry/${100_000 + n}` })),
    this.#public("no such tile", (n) => ({
      method: "GET",
      path: `/log/tile/0/${100 + (n % 900)}`,
    })),
    this.#public("oversized header", (n) => ({
      method: "GET",
      path: "/bundle",
      headers: { [`x-${fresh(n)}`]: LONG },
    })),
    this.#public("oversized", () => ({ path: "/bundle", body: OVERSIZED })),
    {
      name: "public, no HTTP",
      act: (n) => this.#octets(this.#doors.public, `${fresh(n)}\r\n\r\n`),
    },
    this.#console("no such path", (n) => ({ method: "GET", path: `/${fresh(n)}` })),
    this.#console("another host", () => ({
      method: "GET",
      path: "/",
      headers: { host: "a.test" },
    })),
    this.#console("another page", (n) => ({
      path: "/v1/owner/sign-in",
      body: "{}",
      headers: { origin: `https://${fresh(n).toLowerCase().replaceAll("_", "-")}.test` },
    })),
    this.#console("session of nobody", (n) => ({
      method: "GET",
      path: "/v1/owner/me",
      headers: { cookie: `__Host-countersign=${fresh(n)}`, "countersign-session": "cookie" },
    })),
    this.#console("sign-in of nobody", (n) => ({
      path: "/v1/owner/sign-in",
      body: JSON.stringify({
        nonce: fresh(n),
        credential_id: fresh(n),
        sig: { k: "webauthn", a: fresh(n), c: fresh(n), s: fresh(n) },
      }),
      headers: { "x-forwarded-for": `2001:db8:${(n % 65_535).toString(16)}::1` },
    })),
    this.#console("invitation of nobody", (n) => ({
      path: "/v1/owner/enrolment/options",
      body: JSON.stringify({ code: fresh(n) }),
      headers: { "x-forwarded-for": `2001:db8:${(n % 65_535).toString(16)}::1` },
    })),
    this.#console("oversized", () => ({ path: "/v1/owner/sign-in", body: OVERSIZED })),
    this.#console("oversized header", (n) => ({
      method: "GET",
      path: "/",
      headers: { [`x-${fresh(n)}`]: LONG },
    })),
    {
      name: "console, no HTTP",
      act: (n) => this.#octets(this.#doors.console, `${fresh(n)}\r\n\r\n`),
    },
    this.#admin("malformed", (n) => ({ path: "/v1/entries", body: `{"id":"${fresh(n)}"` })),
    this.#admin("entry that is none", (n) => ({
      path: "/v1/entries",
      body: JSON.stringify({ id: fresh(n) }),
    })),
    this.#admin("oversized", () => ({ path: "/v1/entries", body: OVERSIZED })),
    this.#admin("no such question", (n) => ({
      method: "GET",
      path: `/v1/owner/requests/${fresh(n)}`,
    })),
    this.#admin("decision of nobody", (n) => ({
      path: `/v1/owner/requests/${fresh(n)}/decision`,
      body: JSON.stringify({ decision: "approve", statement: fresh(n), sig: fresh(n) }),
    })),
  ];

  #api(name: string, make: (n: number) => Asked): Kind {
    return { name: `api, ${name}`, act: (n) => this.#tls(this.#known, make(n)) };
  }

  #public(name: string, make: (n: number) => Asked): Kind {
    const act = (n: number): Promise<Fate> => {
      const { hostname: host, port } = this.#doors.public;
      return this.#http({ host, port }, make(n));
    };
    return { name: `public, ${name}`, act };
  }

  /** As the console's page would call, unless a header says otherwise. */
  #console(name: string, make: (n: number) => Asked): Kind {
    const act = (n: number): Promise<Fate> => {
      const { hostname: host, port } = this.#doors.console;
      const { headers, ...rest } = make(n);
      const page = { host: CONSOLE_HOST, origin: `https://${CONSOLE_HOST}` };
      return this.#http({ host, port }, { ...rest, headers: { ...page, ...headers } });
    };
    return { name: `console, ${name}`, act };
  }

  #admin(name: string, make: (n: number) => Asked): Kind {
    const act = (n: number): Promise<Fate> => {
      const headers = { host: "localhost" };
      return this.#http({ socketPath: this.#doors.adminSocket, headers }, make(n));
    };
    return { name: `admin, ${name}`, act };
  }

  #tls(agent: TlsAgent, asked: Asked): Promise<Fate> {
    const { hostname: host, port } = this.#doors.api;
    return fateOf(tlsRequest, { host, port, agent }, asked);
  }

  #http(to: RequestOptions, asked: Asked): Promise<Fate> {
    return fateOf(plainRequest, { ...to, agent: this.#plain }, asked);
  }

  #octets(to: URL, text: string): Promise<Fate> {
    return new Promise((resolve) => {
      const socket = connect(Number(to.port), to.hostname, () => socket.write(text));
      socket.setTimeout(SILENCE_MS, () => socket.destroy()).on("error", () => undefined);
      socket.resume().on("close", () => resolve("closed"));
    });
  }
}

interface Kind {
  readonly name: string;
  readonly act: (n: number) => Promise<Fate>;
}

function fateOf(
  send: typeof plainRequest,
  to: RequestOptions,
  { method = "POST", path, body, headers }: Asked,
): Promise<Fate> {
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const options = { ...to, method, path, headers: { ...to.headers, ...type, ...headers } };
  return new Promise((resolve) => {
    const sent = send({ ...options, timeout: SILENCE_MS }, (answer) => {
      answer.resume().on("close", () => resolve(answer.statusCode ?? 0));
    });
    sent.on("timeout", () => sent.destroy());
    sent.on("error", () => resolve("closed")); // an oversized body may be cut off before its end
    sent.end(body);
  });
}
