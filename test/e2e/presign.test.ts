import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { has, tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";
import { Production } from "./production.ts";

const hasTerminal = has("script", "--version");

describe("an owner who signs while the server is away", () => {
  let site: Production;
  let owner: OwnerKeyFile;
  let agent: Running;
  beforeAll(async () => {
    site = await Production.create();
    owner = await site.people();
    await until("registration at the proxy", async () => {
      const { entries } = await site.home.local("proxy.sock", "/v1/status");
      return (entries as readonly unknown[]).length > 0 ? true : undefined;
    });
    site.server.signal("SIGKILL");
    await site.server.ended;
    agent = site.home.courier("hello");
    expect(await tell(agent, "/v1/credential", { note: "please" })).toMatchObject({
      reason: "unreachable",
    });
  });
  afterAll(() => site.home.close());

  const presign = (): readonly string[] => ["owner", "presign", "hello", "--key", owner.path];
  const kept = async (): Promise<readonly Record<string, unknown>[]> =>
    (await site.home.local("proxy.sock", "/v1/status"))["presigned"] as never; // as the proxy says it

  it("cannot be the agent itself, and has a terminal", async () => {
    const own = [process.execPath, ...site.home.arguments([...presign(), "--json"])];
    const inside = await site.home.cli(["run", "--agent", "hello", "--", ...own]);
    const said = inside.err.split("\n").find((line) => line.startsWith("{"));
    expect(JSON.parse(said ?? "{}")).toMatchObject({ reason: "terminal_required" });
    const piped = await site.home.cli([...presign(), "--json"]);
    expect(JSON.parse(piped.err)).toMatchObject({ reason: "terminal_required" });
    expect(await kept()).toEqual([]);
  });

  it("signs elsewhere only what was printed", async () => {
    const file = site.home.file("changed.json");
    const printed = await site.home.cli([...presign(), "--print", "--statement", file]);
    expect([printed.code, printed.err]).toMatchObject([0, expect.any(String) as unknown]);
    expect(printed.err).toContain("WHAT YOU SIGN");
    expect(printed.err).toContain("THE AGENT SAYS. Not checked by anybody.");
    const octets = await readFile(file, "utf8");
    const wider = octets.replace('"max_live":8', '"max_live":9');
    await writeFile(file, wider);
    await writeFile(`${file}.sig`, await owner.sign(new TextEncoder().encode(wider)));
    const brought = await site.home.cli([...presign(), "--signature", `${file}.sig`, "--json"]);
    expect(JSON.parse(brought.err)).toMatchObject({ reason: "approval_unsuitable" });
    expect(await kept()).toEqual([]);
  });

  it.skipIf(!hasTerminal)(
    "I-27: the agent gets its credential when the server is back, without him",
    async () => {
      const terminal = site.home.atTerminal(presign());
      let turned = 0;
      const screen = await terminal.when("question for the code", ({ text }) => {
        const more = text.indexOf("more lines; Enter goes on", turned);
        if (more >= 0) {
          turned = more + 1;
          terminal.write("");
          return undefined;
        }
        return text.includes("type the code") ? text : undefined;
      });
      expect(screen).toContain("the server cannot be asked now");
      terminal.write(/code ([0-9A-Z]{5}-[0-9A-Z]{5})/.exec(screen)?.[1] ?? "");
      expect([(await terminal.ended).code, terminal.text]).toMatchObject([
        0,
        expect.stringContaining("Signed for") as unknown,
      ]);
      expect(await kept()).toMatchObject([{ state: "waiting" }]);
      const doctor = await site.home.cli(["doctor"]);
      expect(doctor.out).toContain("waits for the server");

      await site.serverAgain();
      await until("the approval in the proxy's state", async () => {
        const { rows } = await site.home.local("server.sock", "/v1/log?from=0&to=100");
        const approved = (rows as readonly { type: string; seq: number }[]).find(
          ({ type }) => type === "approval.approved",
        );
        const { seq } = await site.home.local("proxy.sock", "/v1/status");
        return approved !== undefined && Number(seq) > approved.seq ? true : undefined;
      });
      // the state may come before the answer to what was brought
      await until("the answer at the proxy", async () =>
        (await kept())[0]?.["state"] === "accepted" ? true : undefined,
      );
      const issued = await tell(agent, "/v1/credential?wait=20");
      expect(issued).toMatchObject({ status: 200 });
      const [, payload = ""] = String(issued["wit"]).split(".");
      expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
        countersign_owner: { model: "agent", n: 1 },
      });
      const { requests } = await site.home.local("server.sock", "/v1/owner/requests?all=1");
      expect(requests).toEqual([]);
      await agent.stop();
    },
  );
});
