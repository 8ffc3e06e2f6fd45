import { createServer } from "node:https";
import type { Server } from "node:https";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { createGuardedFetch } from "../../packages/node/src/index.ts";
import type { GuardedFetch } from "../../packages/node/src/index.ts";
import { certified } from "./certified.ts";

const MAX_BODY_BYTES = 4096;

/** One message as a push service gets it. */
export interface Pushed {
  /** Which subscription: what follows the origin. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** A push service of our own, over TLS: what it answers is the test's to say. */
export class PushService {
  readonly origin: string;
  /** Calls it and no other private address. */
  readonly fetch: GuardedFetch;
  /** PEM of the root of its certificate. */
  readonly root: string;
  readonly pushed: Pushed[] = [];
  /** Status by path; 0: it never answers, -1: it hangs up after it took the message. Default 201. */
  readonly answers: Map<string, number> = new Map();
  readonly #server: Server;

  private constructor(server: Server, root: string) {
    this.#server = server;
    this.root = root;
    this.origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
    this.fetch = createGuardedFetch({ networks: ["127.0.0.1/32"], ca: [root] });
  }

  static async open(): Promise<PushService> {
    const { root, cert, key } = await certified();
    let service: PushService | undefined;
    const server = createServer({ cert, key }, (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const { url: path = "", headers } = incoming;
        const body = new Uint8Array(Buffer.concat(chunks));
        service?.pushed.push({ path, headers, body });
        const status = body.length > MAX_BODY_BYTES ? 413 : (service?.answers.get(path) ?? 201);
        if (status === 0) return;
        if (status < 0) {
          incoming.socket.destroy();
          return;
        }
        outgoing.writeHead(status, status === 302 ? { location: "http://127.0.0.1/" } : {});
        outgoing.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    service = new PushService(server, root);
    return service;
  }

  at(path: string): readonly Pushed[] {
    return this.pushed.filter((one) => one.path === path);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
