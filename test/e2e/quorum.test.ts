import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Home, tell, until } from "./countersign.ts";
import type { OwnerKeyFile } from "./countersign.ts";

interface Enrolled {
  readonly id: string;
  readonly name: string;
  readonly keys: readonly { readonly jkt: string }[];
}

/** Some lines of output, whatever stands between their words. */
const words = (text: string): string => text.replaceAll(/\s+/g, " ");

describe("an agent that takes two of three owners", () => {
  let home: Home;
  const keys = new Map<string, OwnerKeyFile>();
  beforeAll(async () => {
    home = await Home.create();
  });
  afterAll(() => home.close());

  const keyOf = (name: string): OwnerKeyFile => keys.get(name) ?? expect.fail(`no key of ${name}`);
  const enrolled = async (): Promise<readonly Enrolled[]> =>
    (await home.json(["owner", "list"]))["owners"] as readonly Enrolled[];
  const requests = async (name: string): Promise<string> =>
    words((await home.cli(["owner", "requests", "--owner", name])).out);

  /** Signs elsewhere, and brings it back. */
  async function sign(id: string, name: string, ...more: readonly string[]): Promise<string> {
    const key = keyOf(name);
    const file = home.file(`${name}.json`);
    const base = ["owner", "approve", id, "--key", key.path];
    const shown = await home.cli([...base, "--print", "--statement", file]);
    if (shown.code !== 0) return shown.err;
    expect(words(shown.err)).toContain("It takes 2 of these 3 owners:");
    writeFileSync(`${file}.sig`, await key.sign(readFileSync(file)));
    const { out, err } = await home.cli([...base, "--signature", `${file}.sig`, ...more]);
    return words(out === "" ? err : out);
  }

  /** The relying party's file of this machine, with the keys of these owners pinned and nobody's word taken. */
  async function trustIn(...names: readonly string[]): Promise<string> {
    const file = JSON.parse(readFileSync(join(home.data, "relying-party.json"), "utf8")) as {
      domains: readonly object[];
    };
    const owners = (await enrolled()).filter(({ name }) => names.includes(name));
    const pins = owners.flatMap(({ id, keys: all }) => all.map(({ jkt }) => ({ owner: id, jkt })));
    const path = home.file(`trust-${names.join("-")}.json`);
    const domains = file.domains.map((domain) => ({
      ...domain,
      owner_pins: pins,
      insecureAcceptServerEnrolment: false,
    }));
    writeFileSync(path, JSON.stringify({ ...file, domains }));
    return path;
  }

  it("waits for the second, over a crash of the server, and is verified by whoever pins both", async () => {
    const { running } = await home.dev();
    for (const name of ["alice", "bob", "carol"]) keys.set(name, await home.owner(name));
    const parties = ["--party", "bob", "--party", "carol", "--quorum", "2"];
    await home.register("payer", "--owner", "alice", ...parties);
    const before = home.courier("payer");
    void tell(before, "/v1/credential?wait=5").catch(() => undefined); // it will not be answered with a credential
    const { id } = await home.waiting();

    expect(await sign(id, "bob")).toMatch(/Signed, 1 of 2\..*Still asked: .*(alice|carol)/);
    expect(await requests("carol")).toMatch(/1 of 2 signed by bob, asked: .*(alice|carol)/);
    expect(await sign(id, "bob")).toContain("already_signed");

    running.signal("SIGKILL");
    await running.ended;
    await before.stop(); // its door went with the proxy
    await home.dev();

    expect(await requests("alice")).toContain("1 of 2 signed by bob");
    expect(await sign(id, "alice")).toMatch(/Approved /);
    const agent = home.courier("payer");
    const credential = await tell(agent, "/v1/credential?wait=20");
    expect(credential).toMatchObject({ status: 200 });

    const aud = "http://localhost:4000/";
    const proof = await tell(agent, "/v1/proof", { aud, evidence: true });
    writeFileSync(home.file("wit.jwt"), String(proof["wit"]));
    const evidence = Buffer.from(String(proof["evidence"]), "base64url");
    writeFileSync(home.file("bundle.json"), evidence);
    const verified = async (trust: string): Promise<string> => {
      const files = [home.file("bundle.json"), "--wit", home.file("wit.jwt"), "--trust", trust];
      return (await home.cli(["verify", ...files])).out;
    };
    const both = await verified(await trustIn("alice", "bob"));
    expect(both).toContain("takes       2 owners; accepted here:");
    expect(both.match(/, assurance 2, a key you pinned/g)).toHaveLength(3);
    const one = await verified(await trustIn("bob"));
    expect(one).toContain("Not verified. It stops at owner-accepted.");
    expect(one).toContain("1 of 2 owners' keys");
    await agent.stop();
  });

  it("ends what it holds once the key of one who signed is removed", async () => {
    const agent = home.courier("payer");
    expect(await tell(agent, "/v1/credential?wait=20")).toMatchObject({ status: 200 });
    const alice = (await enrolled()).find(({ name }) => name === "alice");
    await home.json(["owner", "remove-key", alice?.keys[0]?.jkt ?? ""]);
    const { grants } = await home.local("server.sock", "/v1/grants");
    expect(grants).toEqual([]);
    await until("the stop at the agent's door", async () => {
      const { reason } = await tell(agent, "/v1/proof", { aud: "http://localhost:4000/" });
      return reason === "halted" ? true : undefined;
    });
  });
});
