import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CLIENT_CERT_HEADER,
  digestOf,
  isObject,
  parseJsonObject,
  utf8,
  writeClientCert,
} from "../../packages/core/src/index.ts";
import type { Bytes, Json, JsonObject } from "../../packages/core/src/index.ts";
import type { Outgoing, Target } from "../../packages/node/src/index.ts";
import { handlerTarget, nodeCrypto as c } from "../../packages/node/src/index.ts";
import { enrolHost } from "../../packages/server/src/people.testing.ts";
import type { Host } from "../../packages/server/src/people.testing.ts";
import { enrolGateway, gatewayWorld } from "./gateway.ts";
import { gatewayApp } from "../../packages/gateway/src/app.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

type Path = readonly (string | number)[];

/** The same text with one character another one of base64url. */
function flipped(text: string, at: number): string {
  const place = ((at % text.length) + text.length) % text.length;
  return `${text.slice(0, place)}${text.charAt(place) === "A" ? "B" : "A"}${text.slice(place + 1)}`;
}

function changedAt(value: Json | undefined, path: Path, change: (text: string) => string): Json {
  const [step, ...rest] = path;
  if (step === undefined) {
    if (typeof value !== "string") throw new Error("no text there");
    return change(value);
  }
  if (Array.isArray(value))
    return value.map((item: Json, i) => (i === step ? changedAt(item, rest, change) : item));
  if (!isObject(value)) throw new Error(`no ${step} there`);
  return { ...value, [step]: changedAt(value[step], rest, change) };
}

/** What a gateway that is no longer its owner's does with what it passes on. */
interface Malice {
  readonly on: string;
  readonly request?: (request: Outgoing) => Outgoing;
  readonly answer?: (value: JsonObject) => JsonObject;
}

/** One member of a request's body. */
const asked = (member: string, at: number): Malice => ({
  on: "/v1/credential-requests",
  request: (request) => ({
    ...request,
    body: utf8(
      JSON.stringify(changedAt(parsed(request.body), [member], (text) => flipped(text, at))),
    ),
  }),
});
const answered = (on: string, path: Path, change: (text: string) => string): Malice => ({
  on,
  answer: (value) => changedAt(value, path, change) as JsonObject, // an object stays one
});

const parsed = (body: Bytes | undefined): JsonObject =>
  parseJsonObject(body ?? utf8(""), { maxBytes: 1_048_576, maxDepth: 16 });

/** Stands where the gateway's own hands are: between what it passes on and the server. */
class Hands {
  malice: Malice | undefined;

  wrap(plain: Target): Target {
    return {
      close: () => plain.close(),
      send: async (request) => {
        const { malice } = this;
        if (malice?.on !== request.path) return plain.send(request);
        const incoming = await plain.send(malice.request?.(request) ?? request);
        if (malice.answer === undefined || incoming.status !== 200) return incoming;
        const chunks: Bytes[] = [];
        for await (const chunk of incoming.chunks) chunks.push(chunk);
        const value = malice.answer(parsed(new Uint8Array(Buffer.concat(chunks))));
        return { ...incoming, chunks: once(utf8(JSON.stringify(value))) };
      },
    };
  }
}

async function* once(octets: Bytes): AsyncGenerator<Bytes> {
  yield await Promise.resolve(octets);
}

describe("a gateway that alters what it passes on", () => {
  let whole: Whole;
  let other: Host;
  const hands = new Hands();
  beforeEach(async () => {
    hands.malice = undefined;
    whole = await makeWhole({
      gateway: async ({ rig, host }) => {
        other = await enrolHost(rig, "host-2");
        const certificate = await enrolGateway(rig, { proxies: ["host-1", "host-2"] });
        const parts = { toServer: (plain: Target) => hands.wrap(plain) };
        const app = gatewayApp(gatewayWorld(rig, certificate, parts));
        return handlerTarget((request) => app(request, { certificate: host.certificate }));
      },
    });
    expect((await whole.credential()).word).toBe("202");
  });
  /** The owner approves, and the proxy asks again by itself; from now on with these hands in between. */
  const approveWith = async (malice: Malice): Promise<void> => {
    hands.malice = malice;
    await whole.approve();
  };
  afterEach(() => whole.end());
  const credentials = async (): Promise<number> =>
    (await whole.scene.rig.world.store.credentials()).length;

  // head, payload and signature of each JWS: the server refuses, and issues nothing
  it.each(["request", "evidence", "endorsement"])(
    "I-28: any octet of %s: refused by the server",
    async (member) => {
      const words = new Set<string>();
      await approveWith(asked(member, 100));
      for (const at of [0, 5, 21, 60, 140, 260, 333, -60, -43, -22, -2]) {
        hands.malice = asked(member, at);
        words.add((await whole.credential()).word);
      }
      expect([...words].filter((word) => word === "200" || word === "202")).toEqual([]);
      expect(await credentials()).toBe(0);
    },
  );

  it.each<readonly [string, Malice, string]>([
    [
      "a nonce of its own",
      answered("/v1/nonce", ["nonce"], (text) => flipped(text, 3)),
      "nonce_unknown",
    ],
    [
      "another time",
      answered("/v1/nonce", ["nonce"], () => "AAAAAAAAAAAAAAAAAAAAAA"),
      "nonce_unknown",
    ],
    [
      "the name of another of its proxies",
      {
        on: "/v1/credential-requests",
        request: (request) => ({
          ...request,
          headers: {
            ...request.headers,
            [CLIENT_CERT_HEADER]: writeClientCert(other.certificate),
          },
        }),
      },
      "nonce_unknown",
    ],
  ])("%s: refused by the server", async (_name, malice, word) => {
    await approveWith(malice);
    expect((await whole.credential()).word).toBe(word);
    expect(await credentials()).toBe(0);
  });

  it("evidence of another time with this request", async () => {
    let kept: Json | undefined;
    let posts = 0;
    await approveWith({
      on: "/v1/credential-requests",
      request: (request) => {
        const body = parsed(request.body);
        posts += 1;
        const changed = { ...body, evidence: kept ?? body["evidence"] ?? "" };
        kept = body["evidence"];
        return { ...request, body: utf8(JSON.stringify(changed)) };
      },
    });
    expect((await whole.credential()).word).toBe("200");
    await whole.pass(450);
    await whole.until(() => posts >= 2);
    await whole.heard(); // the answer
    expect(await credentials()).toBe(1); // the renewal was refused
  });

  const issued = "/v1/credential-requests";
  const bundle = ["bundle"];
  it.each<readonly [string, Path, number]>([
    ["the token's head", ["wit"], 4],
    ["the token's claims", ["wit"], 200],
    ["the token's signature", ["wit"], -30],
    ["the statement", [...bundle, "approval", "st"], 100],
    ["the owner's signature", [...bundle, "approval", "sig", "s"], 200],
    ["the endorsement", [...bundle, "credential", "end"], 200],
    ["the leaf", [...bundle, "credential", "leaf"], 30],
    ["a salt", [...bundle, "credential", "salts", "wit"], 3],
    ["the proof", [...bundle, "credential", "proof"], -20],
    ["the certificate", ["wic", 0], 200],
  ])("an octet of the answer, %s: refused by the proxy", async (_name, path, at) => {
    await approveWith(answered(issued, path, (text) => flipped(text, at)));
    const { word } = await whole.credential();
    expect(word).not.toBe("200");
    expect(word).not.toBe("500");
    hands.malice = undefined;
    expect((await whole.credential()).word).toBe("200");
  });

  it("passes on an octet for an octet what it leaves alone", async () => {
    const seen: string[] = [];
    hands.malice = {
      on: issued,
      request: (request) => {
        seen.push(digestOf(c, request.body ?? utf8("")));
        expect(Object.keys(request.headers).toSorted()).toEqual(["client-cert", "content-type"]);
        return request;
      },
    };
    const post = whole.w.useLink.bind(whole.w);
    const body = '{ "request" :"a",\t"evidence":"b" ,"endorsement":"c" }\n';
    await post(async ({ uplink }) => {
      const { status } = await uplink.target.send({
        method: "POST",
        path: issued,
        headers: {
          "content-type": "application/json",
          "countersign-gateway": "x",
          authorization: "Basic Og==",
          [CLIENT_CERT_HEADER]: writeClientCert(other.certificate),
        },
        body: utf8(body),
        signal: new AbortController().signal,
      });
      expect(status).toBe(400);
    });
    expect(seen).toEqual([digestOf(c, utf8(body))]);
  });
});
