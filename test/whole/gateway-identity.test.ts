import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  buildCsr,
  digestOf,
  parseCertificate,
  Refusal,
  RENEWAL_HEADER,
  utf8,
  writeEstRequestBody,
} from "../../packages/core/src/index.ts";
import type { Bytes } from "../../packages/core/src/index.ts";
import { gatewayApp } from "../../packages/gateway/src/app.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import {
  generateSigner,
  handlerTarget,
  nodeCrypto as c,
  signerOf,
  silentLog,
} from "../../packages/node/src/index.ts";
import type { Handler, Outgoing, Target } from "../../packages/node/src/index.ts";
import type { GatewayContext } from "../../packages/gateway/src/http/caller.ts";
import { reenrol } from "../../packages/proxy/src/uplink/enrol.ts";
import { renewalBy } from "../../packages/proxy/src/uplink/renewal.ts";
import { uplinkOf } from "../../packages/proxy/src/uplink/server.ts";
import { ServerState } from "../../packages/proxy/src/uplink/state.ts";
import { identityOf, viewOf } from "../../packages/proxy/src/world.testing.ts";
import { approvedScene } from "../../packages/server/src/cases/scene.testing.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { stateFor } from "../../packages/server/src/cases/state.ts";
import { enrolGateway, gatewayWorld } from "./gateway.ts";

const ROUND_MS = 15_000;
const EST = "/.well-known/est/simplereenroll";

describe("a proxy's identity, through its gateway", () => {
  let scene: Scene;
  let app: Handler<GatewayContext>;
  let meddle: ((request: Outgoing) => Promise<Outgoing>) | undefined;
  let lose = false;
  const timers = new ManualTimers();
  beforeEach(async () => {
    meddle = undefined;
    lose = false;
    scene = await approvedScene({ timers });
    const toServer = (plain: Target): Target => ({
      ...plain,
      send: async (request) => {
        const sent = await plain.send((await meddle?.(request)) ?? request);
        if (lose && request.path === EST) throw new Refusal("unreachable", "withheld");
        return sent;
      },
    });
    app = gatewayApp(gatewayWorld(scene.rig, await enrolGateway(scene.rig), { timers, toServer }));
  });
  afterEach(() => scene.rig.close());

  const targetOf = (certificate: Bytes): Target =>
    handlerTarget((request) => app(request, { certificate }));
  /** As the proxy's `main` does it once a day. */
  async function renew(): Promise<string> {
    const { host, rig } = scene;
    const target = targetOf(host.certificate);
    const identity = identityOf(host.id, host.signer, host.certificate);
    const state = await stateFor(rig.world, host.id);
    const w = { c, server: () => viewOf(state, rig.now()) };
    const sign = renewalBy(w, { identity, uplink: uplinkOf(target) });
    const root = rig.world.keys.infrastructureRoot;
    try {
      const made = await reenrol(c, target, { id: host.id, root }, rig.now(), sign);
      host.signer = signerOf(made.key);
      host.certificate = made.chain[0] ?? host.certificate;
      return "renewed";
    } catch (error) {
      if (error instanceof Refusal) return error.code;
      throw error;
    }
  }
  const nonceThrough = async (certificate: Bytes): Promise<string> => {
    try {
      await uplinkOf(targetOf(certificate)).nonce(undefined);
      return "200";
    } catch (error) {
      if (error instanceof Refusal) return error.code;
      throw error;
    }
  };

  it("is renewed, and the earlier certificate ends with the first use of the next", async () => {
    const before = scene.host.certificate;
    expect(await renew()).toBe("renewed");
    expect(parseCertificate(scene.host.certificate).uris).toEqual([scene.host.id]);
    expect(await nonceThrough(scene.host.certificate)).toBe("200");
    expect(await nonceThrough(before)).toBe("proxy_forked");
  });

  it("an answer that is withheld costs nothing: it goes on, and renews again", async () => {
    lose = true;
    expect(await renew()).toBe("unreachable");
    expect(await nonceThrough(scene.host.certificate)).toBe("200");
    lose = false;
    expect(await renew()).toBe("renewed");
    expect(await nonceThrough(scene.host.certificate)).toBe("200");
  });

  const foreign = generateSigner();
  const csr = (): Promise<Bytes> => buildCsr(c, foreign, scene.host.id);
  it.each<readonly [string, (request: Outgoing) => Promise<Outgoing>]>([
    [
      "a CSR of its own under the proxy's word",
      async (request) => ({ ...request, body: utf8(writeEstRequestBody(await csr())) }),
    ],
    [
      "a CSR of its own without a word",
      async (request) => {
        const { [RENEWAL_HEADER]: _word, ...headers } = request.headers;
        return { ...request, headers, body: utf8(writeEstRequestBody(await csr())) };
      },
    ],
    [
      "the proxy's CSR under a word that it changed",
      (request) => {
        const word = request.headers[RENEWAL_HEADER] ?? "";
        const other = `${word.slice(0, -4)}AAAA`;
        return Promise.resolve({
          ...request,
          headers: { ...request.headers, [RENEWAL_HEADER]: other },
        });
      },
    ],
  ])("a gateway that was taken over is refused: %s", async (_name, change) => {
    const before = await scene.rig.world.store.proxy(scene.host.id);
    meddle = (request) => (request.path === EST ? change(request) : Promise.resolve(request));
    expect(await renew()).toBe("renewal_invalid");
    expect(await scene.rig.world.store.proxy(scene.host.id)).toEqual(before);
    meddle = undefined;
    expect(await renew()).toBe("renewed");
  });

  it("a word that was used is not used again, whatever else is signed", async () => {
    let word = "";
    meddle = (request) => {
      if (request.path === EST) {
        if (word === "") word = request.headers[RENEWAL_HEADER] ?? "";
        else
          return Promise.resolve({
            ...request,
            headers: { ...request.headers, [RENEWAL_HEADER]: word },
          });
      }
      return Promise.resolve(request);
    };
    expect(await renew()).toBe("renewed");
    expect(digestOf(c, word)).toMatch(/^sha-256:/);
    expect(await renew()).toBe("renewal_invalid"); // by the key before, over another CSR
  });

  it("DESIGN 3: two event streams through it that both answer are two proxies: halted", async () => {
    const ended = new AbortController();
    const lost: string[] = [];
    const followed = [1, 2].map(() => {
      const target = targetOf(scene.host.certificate);
      const state = new ServerState(scene.rig.now);
      const following = state.follow(target, {
        signal: ended.signal,
        random: (byteCount) => new Uint8Array(byteCount).fill(255),
        timers,
        log: { ...silentLog, warn: (_event, fields) => lost.push(String(fields?.["why"])) },
        onState: () => Promise.resolve(),
        answerBeat: uplinkOf(target).beat,
      });
      return { state, following };
    });
    const settle = async (): Promise<void> => {
      for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setTimeout(resolve)); // zero: turns of the loop
    };
    await settle();
    expect(followed.map(({ state }) => state.view().isConnected)).toEqual([true, true]);
    for (let round = 0; round < 3; round += 1) {
      timers.advance(ROUND_MS);
      await settle();
    }
    expect(await nonceThrough(scene.host.certificate)).toBe("proxy_forked");
    ended.abort();
    await Promise.all(followed.map(({ following }) => following));
  });
});
