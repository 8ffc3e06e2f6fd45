import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { assertionOf, FLAG } from "../../packages/core/src/consent/authenticator.testing.ts";
import { fromBase64url, thumbprint } from "../../packages/core/src/index.ts";
import type { ConsentPages } from "../../packages/core/src/index.ts";
import { callJson, generateSigner, nodeCrypto, openTarget } from "../../packages/node/src/index.ts";
import { credentialOf, SYNCED } from "../whole/passkey.ts";
import { Home, tell } from "./countersign.ts";

let home: Home;
beforeAll(async () => {
  home = await Home.create();
  await home.dev();
});
afterAll(() => home.close());

/** A call of the admin socket, as the owner's page will make it. */
async function post(path: string, body: object): Promise<Record<string, string>> {
  const target = openTarget({ unix: join(home.data, "run", "server.sock") });
  try {
    return (await callJson(target, { method: "POST", path, json: body })).value as Record<
      string,
      string
    >;
  } finally {
    target.close();
  }
}

/** The pages that this server's trust bundle names. */
async function pagesNow(): Promise<ConsentPages> {
  const file = await readFile(join(home.data, "relying-party.json"), "utf8");
  const { domains } = JSON.parse(file) as {
    domains: { trust_bundle: { countersign: { consent: { rp_id: string; origins: string[] } } } }[];
  };
  const consent = domains[0]?.trust_bundle.countersign.consent;
  return { rpId: consent?.rp_id ?? "", origins: consent?.origins ?? [] };
}

it("a passkey is registered at a running server, approves an agent, and is listed as what it is", async () => {
  const pages = await pagesNow();
  const signer = generateSigner();
  let counter = 0;
  const sign = (bytes: Uint8Array): Promise<object> =>
    assertionOf(signer, bytes, {
      rpId: pages.rpId,
      flags: SYNCED,
      counter: (counter += 2),
      client: { origin: pages.origins[0] },
    });
  const route = "/v1/owner/keys/webauthn";
  const begun = (await post(`${route}/options`, { name: "phone" })) as unknown as {
    options: { challenge: string };
  };
  const flags = SYNCED | FLAG.AT;
  const credential = await credentialOf(signer, begun.options.challenge, { pages, flags });
  const { jcs = "" } = await post(`${route}/verify`, { name: "phone", credential });
  const sig = await sign(fromBase64url(jcs));
  await post("/v1/owner/keys", { statement: jcs, sig, comment: "phone" });

  await home.register("by-passkey", "--owner", "phone");
  const agent = home.courier("by-passkey");
  const answer = tell(agent, "/v1/credential?wait=60");
  const { id } = await home.waiting();
  const jkt = thumbprint(nodeCrypto, signer.key);
  const opened = await home.local("server.sock", `/v1/owner/requests/${id}?jkt=${jkt}`);
  const statement = String(opened["jcs"]);
  await post(`/v1/owner/requests/${id}/decision`, {
    decision: "approve",
    statement,
    sig: await sign(fromBase64url(statement)),
  });
  expect(await answer).toMatchObject({ status: 200 });
  expect((await home.cli(["owner", "list"])).out).toMatch(/key \S{8} {2}synced passkey {2}phone/);
  await agent.stop();
});
