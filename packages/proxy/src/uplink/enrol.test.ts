// The first contact with a server (DESIGN 10): what somebody in between can have, and what never reaches him.
import {
  base64url,
  buildIssuingCa,
  buildProxy,
  buildRoot,
  buildServerTls,
  EST_MEDIA_TYPE,
  parseCertificate,
  pemEncode,
  writeCertsOnly,
  writeEstBody,
} from "@countersign/core";
import type { Bytes, Certificate, Signer } from "@countersign/core";
import {
  generatePrivateKey,
  headerLines,
  nodeCrypto as c,
  privateKeyToPem,
  serve,
  signerOf,
} from "@countersign/node";
import type { Listener } from "@countersign/node";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { codeOf } from "../facts/family.testing.ts";
import { enrol } from "./enrol.ts";

/** OpenSSL compares with the host's clock: certificates here are valid from 2000 to 2049. */
const VALID = { notBefore: 946_684_800, notAfter: 2_493_072_000 };
const NOW = 1_800_000_000;
const TD = "example.org";
const SECRET = "A".repeat(22);
const EST = "/.well-known/est";

interface Ca {
  readonly root: Bytes;
  readonly issuing: Certificate;
  readonly by: Signer;
}
let serial = 0;
const nextSerial = (): Bytes => new Uint8Array(16).fill((serial += 1));

async function makeCa(): Promise<Ca> {
  const [top, by] = [signerOf(generatePrivateKey("P-256")), signerOf(generatePrivateKey("P-256"))];
  const base = {
    ...VALID,
    origin: `spiffe://${TD}`,
    hierarchy: "infrastructure" as const,
    name: TD,
  };
  const root = await buildRoot(c, { ...base, serial: nextSerial() }, top);
  const input = { ...base, serial: nextSerial(), key: by.key, issuer: parseCertificate(root) };
  return { root, by, issuing: parseCertificate(await buildIssuingCa(c, input, top)) };
}

/** A certificate of this CA for the loopback address, or for a proxy. */
async function identityOf(
  ca: Ca,
  name: "server" | "proxy",
  td = TD,
): Promise<{ cert: string; key: string }> {
  const key = generatePrivateKey("P-256");
  const common = { ...VALID, serial: nextSerial(), key: signerOf(key).key, issuer: ca.issuing };
  const der =
    name === "server"
      ? await buildServerTls(
          c,
          { ...common, uri: `spiffe://${td}/server`, dns: [], ips: ["127.0.0.1"] },
          ca.by,
        )
      : await buildProxy(c, { ...common, uri: `spiffe://${td}/proxy/host-1` }, ca.by);
  const chain = [der, ca.issuing.der].map((one) => pemEncode("CERTIFICATE", one));
  return { cert: chain.join(""), key: privateKeyToPem(key) };
}

let ours: Ca;
let theirs: Ca;
beforeAll(async () => {
  [ours, theirs] = [await makeCa(), await makeCa()];
});
const opened: Listener[] = [];
afterEach(async () => {
  for (const listener of opened.splice(0)) await listener.close(0);
});

interface Heard {
  readonly path: string;
  readonly connection: number;
  readonly authorization: readonly string[];
}

/** A server that shows this certificate and these CAs; what it hears is kept. */
async function between(
  tls: { cert: string; key: string },
  shown: Ca,
): Promise<{ api: string; heard: Heard[] }> {
  const heard: Heard[] = [];
  let connections = 0;
  const listener = await serve<{ readonly connection: number }>({
    on: { host: "127.0.0.1", port: 0, tls },
    contextOf: () => ({ connection: (connections += 1) }),
    app: async (request, { connection }) => {
      const path = new URL(request.url).pathname.slice(EST.length);
      heard.push({ path, connection, authorization: headerLines(request, "authorization") });
      const body = writeEstBody(writeCertsOnly([shown.root, shown.issuing.der]));
      return path === "/cacerts"
        ? new Response(body, { headers: { "content-type": EST_MEDIA_TYPE.certsOnly } })
        : new Response(null, { status: 503 });
    },
  });
  opened.push(listener);
  return { api: `https://127.0.0.1:${listener.port}`, heard };
}

const join = (api: string, root = ours.root): Promise<string> =>
  codeOf(
    enrol(
      c,
      {
        td: TD,
        name: "host-1",
        api,
        root: base64url(c.sha256(root)),
        secret: SECRET,
        exp: NOW + 60,
      },
      NOW,
    ),
  );

describe("T55: the first contact", () => {
  it("asks for the root on one connection, and sends the secret on another that it leads to", async () => {
    const { api, heard } = await between(await identityOf(ours, "server"), ours);
    await join(api);
    expect(heard).toEqual([
      { path: "/cacerts", connection: 1, authorization: [] },
      { path: "/simpleenroll", connection: 2, authorization: [`Basic ${btoa(`:${SECRET}`)}`] },
    ]);
  });

  it.each<readonly [string, () => Promise<{ tls: { cert: string; key: string }; shown: Ca }>]>([
    [
      "somebody with a root of his own",
      async () => ({ tls: await identityOf(theirs, "server"), shown: theirs }),
    ],
    [
      "somebody who passes on the real root",
      async () => ({ tls: await identityOf(theirs, "server"), shown: ours }),
    ],
    [
      "a proxy of the real server",
      async () => ({ tls: await identityOf(ours, "proxy"), shown: ours }),
    ],
    [
      "a server of another trust domain under the real root",
      async () => ({ tls: await identityOf(ours, "server", "example.com"), shown: ours }),
    ],
  ])("%s hears no secret", async (_name, make) => {
    const { tls, shown } = await make();
    const { api, heard } = await between(tls, shown);
    expect(await join(api)).toMatch(/^(untrusted_chain|unreachable|wrong_purpose)$/);
    expect(heard).toEqual([{ path: "/cacerts", connection: 1, authorization: [] }]);
  });

  it("falls back to nothing when nobody answers", async () => {
    const { api } = await between(await identityOf(ours, "server"), ours);
    await opened[0]?.close(0);
    expect(await join(api)).toBe("unreachable");
  });
});
