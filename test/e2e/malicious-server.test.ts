import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  fromBase64url,
  presentedOf,
  readBundle,
  readTrustBundle,
  LinkRefusal,
  verify,
} from "@countersign/core";
import type { OwnerPin, TrustBundle } from "@countersign/core";
import { nodeCrypto as c, systemClock } from "@countersign/node";
import { ROOT, tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";
import { Production } from "./production.ts";

const AUDIENCE = "https://mail.example.com/";

/**
 * A server in a process of its own that lies with its own keys and sockets, a proxy and a command line that have never
 * seen it otherwise, and a relying party.
 */
describe("a malicious server, as a process", () => {
  let site: Production;
  let owner: OwnerKeyFile;
  let agent: Running;
  let lieFile = "";
  let trust: TrustBundle;
  let pin: OwnerPin;
  const register = (name: string): Promise<void> =>
    site.home.register(name, "--owner", "me", "--insecure-same-uid", "--audience", AUDIENCE);
  const tellsLie = (name: string): void => writeFileSync(lieFile, name);
  const tellsTruth = (): void => rmSync(lieFile, { force: true });

  beforeAll(async () => {
    site = await Production.create();
    const { home } = site;
    lieFile = home.file("lie");
    await site.server.stop();
    site.server = home.start(["server", "run"], {
      LIE: lieFile,
      NODE_OPTIONS: `--import=${ROOT}test/e2e/lying.mjs`,
    });
    await site.server.when("server.running", ({ err }) =>
      err.find((line) => line.includes('"event":"server.running"')),
    );
    owner = await home.owner("me");
    await register("hello");
    await site.served();
    const { owners } = await home.local("server.sock", "/v1/owners");
    const [me] = owners as readonly { id: string; keys: readonly { jkt: string }[] }[];
    pin = { owner: me?.id ?? "", jkt: me?.keys[0]?.jkt ?? "" };
    const open = /"public":"([^"]+)"/.exec(site.server.err.join("\n"))?.[1] ?? "";
    const published = await fetch(`${open}/bundle`);
    trust = readTrustBundle(await published.text(), systemClock());
    agent = home.courier("hello");
  });
  afterAll(() => site.close());

  const problemOf = (err: string): { readonly reason?: string; readonly next?: string } =>
    JSON.parse(err.split("\n").findLast((line) => line.startsWith("{")) ?? "{}") as object;

  describe("shows the owner a text that is not what was asked", () => {
    let id = "";
    beforeAll(async () => {
      agent.write(JSON.stringify({ path: "/v1/credential", body: {} }));
      ({ id } = await site.home.waiting());
    });
    it.each([
      ["another host", "approval_unsuitable"],
      ["another anchor", "approval_unsuitable"],
      ["another owner", "approval_unsuitable"],
      ["another request", "invalid_signature"],
      ["no text", "terminal_required"],
    ])("%s: his program shows nothing and has nothing signed", async (name, reason) => {
      tellsLie(name);
      const file = site.home.file("shown.json");
      const asked = ["owner", "approve", id, "--key", owner.path];
      const shown = await site.home.cli([...asked, "--print", "--statement", file, "--json"]);
      tellsTruth();
      expect([shown.code, shown.out]).toEqual([1, ""]);
      expect(problemOf(shown.err)).toMatchObject({ reason, next: expect.any(String) as unknown });
    });
  });

  /** What the agent's door answers: the refusal's word, or the status. */
  const asked = async (): Promise<unknown> => {
    const { status, reason } = await tell(agent, "/v1/credential");
    return reason ?? status;
  };
  /** Until the proxy has heard the state that holds now: each registration is another one. */
  let states = 0;
  const heard = async (): Promise<void> => {
    const name = `nobody${(states += 1)}`;
    await register(name);
    await until("the state at the proxy", async () => {
      const { entries } = await site.home.local("proxy.sock", "/v1/status");
      return JSON.stringify(entries).includes(name) ? true : undefined;
    });
  };

  it("tells the proxy what no owner signed: its anchor endorses nothing, and the agent waits", async () => {
    const { id } = await site.home.waiting();
    tellsLie("an approval that nobody signed");
    await site.home.approve(id, owner);
    for (const lie of ["an approval that nobody signed", "an approval of another text"]) {
      tellsLie(lie);
      await heard();
      expect([lie, await asked()]).toEqual([lie, 202]);
    }
    tellsTruth();
  });

  it("gives the proxy what no owner signed for: the agent gets nothing of it", async () => {
    const rows: readonly (readonly [lie: string, word: string])[] = [
      ["a credential without its owner's signature", "owner_evidence_needed"],
      ["a credential with a signature of nobody", "signature_invalid"],
      ["a credential that the log does not hold", "log_proof_invalid"],
      ["a token of another", "invalid_signature"],
    ];
    const [[first]] = rows as [(typeof rows)[number]];
    tellsLie(first);
    await site.home.approve((await site.home.waiting()).id, owner);
    for (const [lie, word] of rows) {
      tellsLie(lie);
      await until(`${word} at the door`, async () => ((await asked()) === word ? true : undefined));
      expect(await tell(agent, "/v1/proof", { aud: AUDIENCE })).not.toMatchObject({ status: 200 });
    }
    tellsTruth();
    await until("a credential", async () => ((await asked()) === 200 ? true : undefined));
  });

  it("enrols a key of its own as the owner's and approves: whoever pins his key is not taken in", async () => {
    const { home } = site;
    const own = await home.keyFile("operator");
    await home.json(["owner", "enrol", "me", "--key", own.path]);
    await register("second");
    const other = home.courier("second");
    other.write(JSON.stringify({ path: "/v1/credential", body: {} }));
    await home.approve((await home.waiting()).id, own);
    await until("credential", async () =>
      (await tell(other, "/v1/credential?wait=5"))["status"] === 200 ? true : undefined,
    );
    expect(site.proxy.err.some((line) => line.includes("owner.key_first_seen"))).toBe(true);
    expect(await judged(agent)).toBe("verified");
    expect(await judged(other)).toBe("owner_key_unaccepted");
  });

  it("names other pages for passkeys: the proxy keeps those that it heard first, across its restart", async () => {
    tellsLie("other pages");
    await heard();
    const changed = ({ err }: Running): true | undefined =>
      err.some((line) => line.includes("trust.pages_changed")) ? true : undefined;
    await site.proxy.when("warning", changed);
    await site.proxy.stop();
    await site.proxyAgain();
    await site.proxy.when("warning", changed);
    tellsTruth();
  });

  /** What a relying party finds that pins the owner's key and what the bundle said at first. */
  async function judged(of: Running): Promise<string> {
    const proof = await tell(of, "/v1/proof", { aud: AUDIENCE, evidence: true });
    const { wit, evidence } = proof;
    if (typeof wit !== "string" || typeof evidence !== "string")
      throw new Error(JSON.stringify(proof));
    const bundle = readBundle(fromBase64url(evidence));
    const domain = {
      origin: trust.trustDomain,
      bundle: trust,
      ownerPins: [pin],
      isInside: false,
      insecureAcceptServerEnrolment: false,
      insecureAcceptDevelopment: false,
    };
    try {
      const presented = presentedOf(wit, undefined, bundle);
      const all = new Map([[domain.origin, domain]]);
      return (await verify(c, presented, all, { proof: "verified" }, systemClock())).proof;
    } catch (error) {
      if (error instanceof LinkRefusal) return error.code;
      throw error;
    }
  }
});
