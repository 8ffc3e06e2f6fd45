import {
  agentId,
  buildCsr,
  presentedOf,
  readIssuedAnswer,
  readTrustBundle,
  thumbprint,
  utf8,
  verify,
} from "@countersign/core";
import type { TrustBundle } from "@countersign/core";
import { generatePrivateKey, nodeCrypto as c, signerOf } from "@countersign/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enrolOwner, est, joinSecret } from "../../packages/server/src/people.testing.ts";
import type { Host, Owner } from "../../packages/server/src/people.testing.ts";
import { entryOf, textOf } from "../../packages/server/src/world.testing.ts";
import { until } from "./countersign.ts";
import { enrolWith, makeSent, Remote } from "./crash-client.ts";
import type { Agent } from "./crash-client.ts";

/** How long the new keys are published before they sign, and how old a relying party lets its bundle get: less. */
const ACTIVATE_IN_SECONDS = 3;
const BUNDLE_SECONDS = 1;
const ROTATIONS = 3;
const HOSTS = ["host-1", "host-2", "host-3"];
/** Issues of one agent between two certificates of its host. */
const RENEW_EVERY = 12;

/** A relying party that asks for the trust bundle as often as it is told to, and not more often. */
class Party {
  readonly #remote: Remote;
  readonly #owner: Owner;
  #bundle: { readonly at: number; readonly read: Promise<TrustBundle> } | undefined;
  verified = 0;

  constructor(remote: Remote, owner: Owner) {
    this.#remote = remote;
    this.#owner = owner;
  }

  #current(): Promise<TrustBundle> {
    const now = performance.now() / 1000;
    if (this.#bundle === undefined || now - this.#bundle.at >= BUNDLE_SECONDS)
      this.#bundle = { at: now, read: this.#fetch() };
    return this.#bundle.read;
  }

  async #fetch(): Promise<TrustBundle> {
    const answer = await fetch(`${this.#remote.publicUrl}/bundle`);
    return readTrustBundle(utf8(await answer.text()), this.#remote.now());
  }

  /** As a stranger does it: token, certificate, owner and log. @throws Refusal */
  async check(answer: ReturnType<typeof readIssuedAnswer>): Promise<void> {
    const bundle = await this.#current();
    const { jkt, id } = this.#owner;
    const of = {
      origin: bundle.trustDomain,
      bundle,
      ownerPins: [{ jkt, owner: id }],
      isInside: false,
      insecureAcceptServerEnrolment: false,
      insecureAcceptDevelopment: false,
    };
    await verify(
      c,
      presentedOf(answer.wit, answer.wic, answer.bundle),
      new Map([[bundle.trustDomain, of]]),
      { proof: "logged" },
      this.#remote.now(),
    );
    this.verified += 1;
  }
}

/** The host gets its next certificate, over a connection of its own, and goes on with it. */
async function renewHost(remote: Remote, host: Host): Promise<void> {
  const key = generatePrivateKey("P-256");
  const csr = await buildCsr(c, signerOf(key), host.id);
  const made = await est(remote.rig, "simplereenroll", { csr, certificate: host.certificate });
  if (typeof made === "string") throw new Error(`not renewed: ${made}`);
  remote.hold(made, key);
  host.signer = signerOf(key);
  host.certificate = made;
}

/** An approved agent on a host of its own. */
async function makeAgent(remote: Remote, owner: Owner, name: string): Promise<Agent> {
  const host = await enrolWith(remote, name, await joinSecret(remote.rig, { name }));
  if (typeof host === "string") throw new Error(host);
  const grant = { use: "standing", max_ttl: 900, max_live: 5000, ceiling: [] };
  const entry = entryOf({ name, owner: owner.id, proxy: host.id, grant });
  await remote.call("admin", "POST /v1/entries", { json: entry });
  const sub = textOf(entry["id"]);
  const agent: Agent = { host, sub, id: agentId(sub, thumbprint(c, host.anchor.key)) };
  const asked = await host.post((await makeSent(agent)).posted);
  agent.cs = await owner.approve(textOf(asked.body["id"]));
  return agent;
}

describe("DESIGN 3: every key changes under load, over real TLS", () => {
  let remote: Remote;
  beforeAll(async () => {
    remote = await Remote.create();
  });
  afterAll(() => remote.close());

  const rotate = (): Promise<Record<string, unknown>> =>
    remote.home.json([
      "server",
      "keys",
      "rotate",
      "--wit",
      "--ca",
      "--activate-in",
      String(ACTIVATE_IN_SECONDS),
    ]);

  it(`${ROTATIONS} times token key, CAs and the server's own certificate, hosts theirs: no request and no verification fails`, async () => {
    const owner = await enrolOwner(remote.rig);
    const party = new Party(remote, owner);
    const agents: Agent[] = [];
    for (const name of HOSTS) agents.push(await makeAgent(remote, owner, name));
    const failures: string[] = [];
    const signers = new Set<string>();
    const over = new AbortController();
    let renewed = 0;

    /** One agent: it asks without end, each answer is verified, and its host renews itself now and then. */
    const load = async (agent: Agent): Promise<void> => {
      for (let count = 1; !over.signal.aborted; count += 1)
        try {
          const answer = await agent.host.post((await makeSent(agent, { cs: agent.cs })).posted);
          if (answer.word !== "200") throw new Error(answer.word);
          const issued = readIssuedAnswer(answer.body);
          signers.add(issued.wit.split(".")[0] ?? ""); // the header names the key
          await party.check(issued);
          if (count % RENEW_EVERY === 0) {
            await renewHost(remote, agent.host);
            renewed += 1;
          }
        } catch (error) {
          failures.push(String(error));
        }
    };
    const running = agents.map(load);
    for (let round = 0; round < ROTATIONS; round += 1) {
      const { keys } = await rotate();
      expect(keys).toMatchObject([
        { use: "wit" },
        { use: "infrastructure_ca" },
        { use: "agents_ca" },
      ]);
      const before = signers.size;
      await until("new token key", () => signers.size > before || failures.length > 0 || undefined);
    }
    over.abort();
    await Promise.all(running);
    process.stdout.write(
      `rotation: ${ROTATIONS} rotations, ${party.verified} credentials verified, ${renewed} host certificates\n`,
    );
    expect(failures).toEqual([]);
    expect(signers.size).toBe(1 + ROTATIONS);
    expect(renewed).toBeGreaterThan(0);
  }, 120_000);
});
