// A policy engine as owner: a process of its own beside server, proxy and agent.
import { readFile, stat, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Home, tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";

interface Line {
  readonly event: string;
  readonly id?: string;
  readonly agent?: string;
  readonly rule?: string;
  readonly reasons?: readonly string[];
}

interface Asked {
  readonly id: string;
  readonly entry: string;
  readonly proxy: string;
  readonly facts: { readonly measurements: readonly { readonly n: string; readonly d: string }[] };
}

describe("countersign owner policy run", () => {
  let home: Home;
  let dev: Running;
  let key: OwnerKeyFile;
  let rules: string;
  const policy = (...more: readonly string[]): readonly string[] => [
    ...["owner", "policy", "run", "--rules", rules, "--owner", "rules", "--key", key.path, ...more],
  ];
  const linesOf = ({ err }: Running): readonly Line[] =>
    err.flatMap((line): readonly Line[] => {
      if (!line.startsWith("{")) return [];
      const { event, fields } = JSON.parse(line) as { event: string; fields?: Omit<Line, "event"> };
      return [{ event, ...fields }];
    });
  const said = (running: Running, event: string, agent: string): Promise<Line> =>
    running.when(event, (one) =>
      linesOf(one).find((line) => line.event === event && line.agent?.includes(agent) === true),
    );

  /** A question of an agent, as the owner is shown it. */
  async function ask(
    name: string,
    owner: string,
  ): Promise<{ asked: Asked; agent: Running; answer: Promise<Record<string, unknown>> }> {
    await home.register(name, "--owner", owner);
    const agent = home.courier(name);
    const answer = tell(agent, "/v1/credential?wait=60");
    // decided ones too: the engine may be faster than whoever looks
    const { id } = await until("request", async () => {
      const { requests } = await home.local("server.sock", "/v1/owner/requests?all=1");
      const all = requests as readonly { readonly id: string; readonly entry: string }[];
      return all.find(({ entry }) => entry.endsWith(`/${name}`));
    });
    const asked = await home.local("server.sock", `/v1/owner/requests/${id}`);
    return { asked: asked as unknown as Asked, agent, answer };
  }

  async function writeRules(entries: readonly string[], { proxy, facts }: Asked): Promise<void> {
    const { issuer } = await home.local("server.sock", "/v1/status");
    const measurements = facts.measurements.map(({ n, d }) => `      ${n}: [${d}]`);
    const text = `v: 1
issuer: ${String(issuer)}
rules:
  - name: couriers
    entries: [${entries.map((entry) => JSON.stringify(entry)).join(", ")}]
    hosts: [${proxy}]
    measurements:
${measurements.join("\n")}
    insecure_any_installation: true
    ceiling: []
    any_service: true
    use: [standing]
    longest_grant_seconds: 86400
    max_ttl_seconds: 900
    max_issue: 2000
    max_live: 8
    rate: { count: 2, window_seconds: 3600 }
    insecure_ignore_warnings: true
`;
    await writeFile(rules, text);
  }

  beforeAll(async () => {
    home = await Home.create();
    ({ running: dev } = await home.dev());
    rules = home.file("rules.yaml");
    key = await home.keyFile("rules");
    await home.json(["owner", "enrol", "rules", "--kind", "policy", "--key", key.path]);
  });
  afterAll(() => home.close());

  it("signs inside its rules, leaves the rest, and counts over a restart", async () => {
    const first = await ask("one", "rules");
    await writeRules(["spiffe://nowhere.invalid/agent/*"], first.asked);
    const alone = await home.json(policy("--once"));
    expect(alone).toMatchObject({
      decisions: [{ do: "left", reasons: [{ code: "agent_unlisted" }] }],
    });
    await writeRules([first.asked.entry.replace(/one$/, "*")], first.asked);
    const dry = await home.json(policy("--once", "--dry-run"));
    expect(dry).toMatchObject({ decisions: [{ do: "would_sign", rule: "couriers" }] });

    const engine = home.start(policy());
    expect(await said(engine, "policy.signed", "/one/")).toMatchObject({ rule: "couriers" });
    const { wit } = await first.answer;
    const claims = JSON.parse(
      Buffer.from(String(wit).split(".")[1] ?? "", "base64url").toString(),
    ) as Record<string, unknown>;
    expect(claims["countersign_owner"]).toMatchObject({ kind: "policy", oa: 1 });

    const second = await ask("two", "rules");
    await said(engine, "policy.signed", "/two/");
    expect(await second.answer).toMatchObject({ status: 200 });
    expect(await engine.stop()).toEqual({ code: 0, signal: null });
    expect((await stat(`${rules}.signed`)).mode & 0o777).toBe(0o600);

    const again = home.start(policy());
    const third = await ask("three", "rules");
    expect(await said(again, "policy.left", "/three/")).toMatchObject({
      reasons: ["rate_reached"],
    });
    // left for a person: whoever has the key may sign it all the same
    await home.approve(third.asked.id, key);
    expect(await third.answer).toMatchObject({ status: 200 });
    const seen = linesOf(again).filter((line) => line.event === "policy.left");
    expect(seen).toHaveLength(1);
    expect(await again.stop()).toEqual({ code: 0, signal: null });
    for (const { agent } of [first, second, third]) await agent.stop();
  });

  it("refuses the key of a person, a strange key, and rules that it does not understand", async () => {
    const me = await home.owner("me");
    const refused = async (...args: readonly string[]): Promise<string> => {
      const { code, err } = await home.cli([...args, "--json"]);
      expect(code).toBe(1);
      return (JSON.parse(err) as { reason: string; detail?: string }).reason;
    };
    const as = (owner: string, path: string): readonly string[] => [
      ...["owner", "policy", "run", "--rules", rules, "--owner", owner, "--key", path],
    ];
    expect(await refused(...as("me", me.path))).toBe("approval_unsuitable");
    expect(await refused(...as("rules", me.path))).toBe("key_not_enrolled");
    expect(await refused(...as("nobody", key.path))).toBe("not_found");
    const text = await readFile(rules, "utf8");
    await writeFile(rules, text.replace("max_live:", "max_lives:"));
    const { err } = await home.cli([...as("rules", key.path), "--json"]);
    expect(JSON.parse(err)).toMatchObject({
      reason: "configuration_invalid",
      detail: expect.stringMatching(/^line 4, column 5: .*max_live/) as string,
    });
    await writeFile(rules, text);
  });

  it("goes on when the server was away", async () => {
    const engine = home.start(policy());
    await engine.when("stream", (one) =>
      linesOf(one).find(({ event }) => event === "policy.watching"),
    );
    expect(await dev.stop()).toEqual({ code: 0, signal: null });
    ({ running: dev } = await home.dev());
    await until("second stream", () =>
      linesOf(engine).filter(({ event }) => event === "policy.watching").length > 1
        ? true
        : undefined,
    );
    expect(await engine.stop()).toEqual({ code: 0, signal: null });
  });
});
