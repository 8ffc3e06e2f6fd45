import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pemDecode, proxyId, readJoinToken } from "@countersign/core";
import { nodeCrypto as c, nodeRandom, silentLog } from "@countersign/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadIdentity, saveIdentity } from "../../packages/proxy/src/keys/identity.ts";
import { enrol, reenrol } from "../../packages/proxy/src/uplink/enrol.ts";
import { Link } from "../../packages/proxy/src/uplink/link.ts";
import { openServer } from "../../packages/proxy/src/uplink/server.ts";
import { ServerState } from "../../packages/proxy/src/uplink/state.ts";
import { DOMAIN, textOf } from "../../packages/server/src/world.testing.ts";
import { Remote } from "./crash-client.ts";

const NAME = "host-1";
const ID = proxyId(DOMAIN, NAME);
const CALLERS = 6;
const RENEWALS = 8;

/** The parts of a proxy that its daily renewal is made of, at a real server over real TLS. */
describe("DESIGN 3: a proxy gets its next certificate under load", () => {
  let remote: Remote;
  let data = "";
  beforeAll(async () => {
    remote = await Remote.create();
    data = await mkdtemp(join(tmpdir(), "identity-"));
  });
  afterAll(async () => {
    await remote.close();
    await rm(data, { recursive: true });
  });

  async function connect(): Promise<Link> {
    const made = await remote.call("admin", "POST /v1/join-tokens", { json: { name: NAME } });
    const token = readJoinToken(textOf(made.body["token"]), remote.now());
    await saveIdentity(data, await enrol(c, token, remote.now()));
    return new Link(await loadIdentity(data, DOMAIN, NAME), (identity) =>
      openServer(token.api, DOMAIN, identity),
    );
  }

  async function renew(link: Link, onChanged: () => void): Promise<void> {
    const [root = new Uint8Array()] = pemDecode(link.identity.root, "CERTIFICATE", 1);
    const next = await link.use(({ target }) => reenrol(c, target, { id: ID, root }, remote.now()));
    await saveIdentity(data, next);
    await link.replace(await loadIdentity(data, DOMAIN, NAME), onChanged);
  }

  it(`${RENEWALS} times: no call fails, its stream begins anew, and it is not taken for two`, async () => {
    const link = await connect();
    const state = new ServerState(() => remote.now());
    let following = new AbortController();
    let states = 0;
    const follow = (): void => {
      following.abort();
      following = new AbortController();
      void state.follow(link.target, {
        signal: following.signal,
        random: nodeRandom,
        log: silentLog,
        onState: () => {
          states += 1;
          return Promise.resolve();
        },
      });
    };
    follow();
    const over = new AbortController();
    const failures: string[] = [];
    let calls = 0;
    const call = async (): Promise<void> => {
      while (!over.signal.aborted)
        try {
          await link.use(({ uplink }) => uplink.nonce(state.view().seen));
          calls += 1;
        } catch (error) {
          failures.push(String(error));
        }
    };
    const callers = Array.from({ length: CALLERS }, call);
    for (let count = 0; count < RENEWALS; count += 1) await renew(link, follow);
    over.abort();
    await Promise.all(callers);
    following.abort();
    link.target.close();
    process.stdout.write(`identity: ${RENEWALS} renewals, ${calls} calls\n`);
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(RENEWALS);
    expect(states).toBeGreaterThan(0);
    const { body } = await remote.call("admin", "GET /v1/status");
    expect(body["proxies"]).toMatchObject([{ id: ID, state: "enrolled" }]);
  });
});
