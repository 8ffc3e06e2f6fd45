// An owner without keys: stops everything by a printed code, comes back with the help of two others, or after a day.
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Home, tell } from "./countersign.ts";
import type { Finished, OwnerKeyFile, Running } from "./countersign.ts";

describe("an owner who lost the keys", () => {
  let home: Home;
  let me: OwnerKeyFile;
  let bob: OwnerKeyFile;
  let carol: OwnerKeyFile;
  let publicUrl: string;
  let agent: Running;
  beforeAll(async () => {
    home = await Home.create();
    const { ready } = await home.dev();
    publicUrl = ready["public"] ?? "";
    me = await home.owner("me");
    bob = await home.owner("bob");
    carol = await home.owner("carol");
    await home.register("hello", "--owner", "me");
    agent = home.courier("hello");
    await approved(me);
  });
  afterAll(() => home.close());

  /** The agent asks, and this key approves. */
  async function approved(key: OwnerKeyFile): Promise<void> {
    const answer = tell(agent, "/v1/credential?wait=60");
    await home.approve((await home.waiting()).id, key);
    expect(await answer).toMatchObject({ status: 200 });
  }
  /** A command that reads one line. */
  async function withLine(line: string, ...args: readonly string[]): Promise<Finished> {
    const running = home.start([...args, "--json"]);
    running.write(line);
    const { code } = await running.ended;
    return { code, out: running.out.join("\n"), err: running.err.join("\n") };
  }
  const codes = async (): Promise<readonly string[]> =>
    (await home.json(["owner", "stop-codes", "me"]))["codes"] as readonly string[]; // as it prints them
  const proof = async (): Promise<unknown> =>
    (await tell(agent, "/v1/proof", { aud: "http://localhost:4000/" }))["status"];
  const lift = async (): Promise<void> => {
    const { stops } = (await home.json(["lift"])) as { stops: readonly { id: string }[] };
    for (const { id } of stops) await home.json(["lift", id]);
  };

  it("is said to be known by first use only", async () => {
    expect((await home.cli(["owner", "list"])).out.match(/trusted on first use/g)).toHaveLength(3);
  });

  it("stops everything by a printed code, here and from anywhere, each once", async () => {
    const [first = "", second = ""] = await codes();
    expect(await proof()).toBe(200);
    const here = await withLine(first.toLowerCase(), "halt", "--code");
    expect(JSON.parse(here.out)).toMatchObject({ done: "stop", codes_left: 7 });
    await agent.when("stop", () =>
      agent.err.some((line) => /stopped|halted/.test(line)) ? true : undefined,
    );
    expect(await proof()).not.toBe(200);
    const again = await withLine(first, "halt", "--code");
    expect(again.code).toBe(1);
    expect(JSON.parse(again.err)).toMatchObject({ reason: "stop_code_invalid" });
    await lift();
    const away = await withLine(second, "halt", "--code", "--server", publicUrl);
    expect(JSON.parse(away.out)).toMatchObject({ done: "stop", codes_left: 6 });
    const wrong = await withLine("0000-0000-0000-0000", "halt", "--code", "--server", publicUrl);
    expect(JSON.parse(wrong.err)).toMatchObject({ reason: "stop_code_invalid" });
    expect((await withLine("nonsense", "halt", "--code")).code).toBe(1);
    await lift();
    await approved(me);
  });

  it("takes one key away by a code; the last one is said to be the last", async () => {
    const [first = ""] = await codes();
    const { owners } = (await home.json(["owner", "list"])) as {
      owners: readonly { name: string; keys: readonly { jkt: string; removed_at?: number }[] }[];
    };
    const jkt = owners.find(({ name }) => name === "me")?.keys[0]?.jkt ?? "";
    const { out } = await withLine(first, "halt", "--code", "--remove-key", jkt);
    expect(JSON.parse(out)).toMatchObject({ done: "remove_key" });
    expect((await home.cli(["owner", "list"])).out).toContain("removed");
    const bobs = owners.find(({ name }) => name === "bob")?.keys[0]?.jkt ?? "";
    await home.register("two", "--owner", "bob");
    const removed = await home.cli(["owner", "remove-key", bobs]);
    expect(removed.out).toMatch(/last key: nobody can approve anything for the agent/);
    bob = await home.owner("dave");
  });

  it("comes back by two other persons, who sign elsewhere", async () => {
    const fresh = await home.keyFile("fresh");
    const statement = home.file("key.json");
    const base = ["owner", "recover", "start", "me", "--key", fresh.path, "--statement", statement];
    expect((await home.cli([...base, "--print"])).err).toMatch(/two other persons sign it/);
    const octets = await readFile(statement);
    const brought: string[] = [];
    for (const [name, key] of [
      ["dave", bob],
      ["carol", carol],
    ] as const) {
      await writeFile(home.file(`${name}.sig`), await key.sign(octets));
      brought.push("--co-signer", key.path, "--co-signature", home.file(`${name}.sig`));
    }
    const one = await home.cli([...base, ...brought.slice(0, 4), "--json"]);
    expect(JSON.parse(one.err)).toMatchObject({ reason: "co_signers_insufficient" });
    await writeFile(`${statement}.sig`, await fresh.sign(octets));
    const signed = [...base, "--signature", `${statement}.sig`, ...brought];
    expect(await home.json(signed)).toMatchObject({ state: "recovered" });
    await approved(fresh);
  });

  it("comes back after a day, unless a key of the owner cancels", async () => {
    const next = await home.keyFile("next");
    const start = ["owner", "recover", "start", "carol", "--key", next.path];
    const { recovery } = (await home.json(start)) as { recovery: { id: string; jkt: string } };
    expect((await home.cli(["owner", "recover", "list"])).out).toMatch(/announced .* enabled at/);
    const cancel = ["owner", "recover", "cancel", recovery.id];
    const stranger = await home.cli([...cancel, "--key", bob.path, "--json"]);
    expect(JSON.parse(stranger.err)).toMatchObject({ reason: "key_not_enrolled" });
    expect(await home.json([...cancel, "--key", carol.path])).toEqual({ cancelled: true });
    const again = await home.cli([...cancel, "--json"]);
    expect(JSON.parse(again.err)).toMatchObject({ reason: "already_decided" });
    await home.json(start);
    const json = await home.json(["owner", "stop-codes", "carol"]);
    const [code = ""] = json["codes"] as readonly string[]; // as it prints them
    const used = await withLine(code, ...cancel, "--code");
    expect(JSON.parse(used.out)).toMatchObject({ done: "cancel_recovery" });
  });
});
