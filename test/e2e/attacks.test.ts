// Attacks by processes of this host, through the calls that agents make; where an attack gets through, its title says so.
import { existsSync } from "node:fs";
import { appendFile, chmod, copyFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ask, outcome, runAs, setDumpable, writeAttackers } from "./attackers.ts";
import { COURIER, has, Home, tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";

const PYTHON = "/usr/bin/python3";
const OTHER_UID = 12_345;
const isRoot = process.getuid?.() === 0;
const hasPython = process.platform === "linux" && existsSync(PYTHON);
const hasNamespaces = has("unshare", "--version");
const CREDENTIAL = { path: "/v1/credential", body: {} };
const proofFor = (aud: string) => ({ path: "/v1/proof", body: { aud } });
const HERE = "http://localhost:4000/";

describe.skipIf(!hasPython)("attacks on this host", () => {
  let home: Home;
  let owner: OwnerKeyFile;
  let place = "";
  let good = "";
  const at = (name: string): string => join(place, name);
  const hands: Running[] = [];
  const run = (agent: string, command: readonly string[]): Running => {
    const hand = runAs(home, agent, command);
    hands.push(hand);
    return hand;
  };
  const runGood = (): Running => run("good", [PYTHON, good]);
  const socket = (name: string): string => join(home.data, "run", name);
  const doorOf = async (): Promise<string> =>
    until("one door", async () => {
      const { doors } = await home.local("proxy.sock", "/v1/status");
      const open = doors as readonly { path: string }[];
      return open.length === 1 ? open[0]?.path : undefined;
    });
  const noDoor = (): Promise<true> =>
    until("end of the doors", async () => {
      const { doors } = await home.local("proxy.sock", "/v1/status");
      return (doors as readonly object[]).length === 0 || undefined;
    });
  beforeAll(async () => {
    home = await Home.create();
    await home.dev();
    owner = await home.owner("me");
    place = await writeAttackers(home.folder);
    good = at("good.py");
    const program = ["--program", PYTHON, "--script", good, "--pin", "--max-live", "100"];
    await home.json(["agent", "register", "good", ...program, "--audience", HERE]);
    await home.register("owned", "--owner", "me");
  });
  afterEach(async () => {
    for (const hand of hands.splice(0)) hand.killGroup();
    await noDoor();
  });
  afterAll(() => home.close());

  // No owner is asked for this agent: whatever is not the pinned program must be refused.
  describe("a program that claims to be the pinned one", () => {
    const shell = (script: string): readonly string[] => ["/bin/sh", "-c", script];
    const rows: readonly (readonly [string, () => readonly string[], unknown])[] = [
      ["it itself", () => [PYTHON, good], 200],
      ["another script", () => [PYTHON, at("other.py"), good], "measurement_unknown"],
      [
        "another script that writes over its command line: PASSES, the basis is argv",
        () => [PYTHON, at("lies.py"), good],
        200,
      ],
      [
        "a script replaced by rename after its start",
        () => [PYTHON, at("renames.py"), good],
        "program_changed",
      ],
      [
        "a script written over after its start",
        () => [PYTHON, at("writes.py"), good],
        "program_changed",
      ],
      [
        "a script whose folder was exchanged for an older one: PASSES, the basis is argv",
        () => [PYTHON, at("folders/own/agent.py"), good],
        200,
      ],
      ["a traced one", () => [PYTHON, at("traces.py"), good], "posture_refused"],
      [
        "LD_PRELOAD",
        () => ["/usr/bin/env", "LD_PRELOAD=/nonexistent.so", PYTHON, good],
        "loader_forbidden",
      ],
      [
        "PYTHONPATH",
        () => ["/usr/bin/env", "PYTHONPATH=/nonexistent", PYTHON, good],
        "loader_forbidden",
      ],
      [
        "PYTHONPATH, wiped from memory by the code that it loaded: PASSES, the basis is argv",
        () => ["/usr/bin/env", `PYTHONPATH=${at("preload")}`, PYTHON, good],
        200,
      ],
      ["an interpreter option", () => [PYTHON, "-u", good], "loader_forbidden"],
      [
        "code in an argument",
        () => [PYTHON, "-c", `exec(open(${JSON.stringify(good)}).read())`],
        "script_unmeasurable",
      ],
      [
        "one that forked twice: an orphan is nobody's descendant",
        () => shell(`exec 3<&0; ("${PYTHON}" "${good}" <&3 &); sleep 1000`),
        "peer_unexpected",
      ],
    ];
    it.each(rows)("%s", async (_, command, wanted) => {
      const hand = run("good", command());
      const answer = await ask(hand, CREDENTIAL);
      expect([answer["reason"] ?? answer["status"], answer]).toMatchObject([wanted, {}]);
    });

    it("another image at whose path the pinned one lies by now", async () => {
      const image = at("python3");
      await copyFile(PYTHON, image);
      await appendFile(image, "another digest");
      await chmod(image, 0o755);
      const hand = run("good", [image, at("image.py"), good]);
      expect(await outcome(ask(hand, CREDENTIAL))).toBe("measurement_unknown");
    });

    it("a Node program that sets its title leaves no script to measure", async () => {
      const hand = run("good", [process.execPath, at("title.mjs"), COURIER]);
      expect(await tell(hand, "/v1/credential")).toMatchObject({ reason: "script_unmeasurable" });
    });

    it("one that the proxy may not read is refused; a proxy that is root reads it", async () => {
      const hand = runGood();
      await setDumpable(hand, 0);
      expect(await outcome(ask(hand, CREDENTIAL))).toBe(isRoot ? 200 : "process_unreadable");
    });

    it.skipIf(!hasNamespaces || !isRoot)(
      "one in namespaces of its own is who the kernel says from here, and evidence says where it is",
      async () => {
        const inside = run("good", ["unshare", "-Urpf", PYTHON, good]);
        const status = await ask(inside, { path: "/v1/status", method: "GET" });
        expect(status).toMatchObject({ status: 200, uid: 0 });
        expect(status["pid"]).toBeGreaterThan(1); // its number here, not the 1 that it sees itself
        expect(await outcome(ask(inside, CREDENTIAL))).toBe(200);
        const { evidence } = await home.local("proxy.sock", "/v1/evidence?entry=good");
        const [, body = ""] = String(evidence).split(".");
        const claims = Buffer.from(body, "base64url").toString();
        const own = /"user":(\d+)/.exec(claims)?.[1];
        const { readlinkSync } = await import("node:fs");
        expect(own).toBeDefined();
        expect(readlinkSync("/proc/self/ns/user")).not.toContain(own);
      },
    );
  });

  describe("the door of a run", () => {
    it("is for its descendants: not for another process of the user, nor through a link", async () => {
      const agent = runGood();
      const door = await doorOf();
      const link = at("link.sock");
      await symlink(door, link);
      for (const path of [door, link]) {
        const outsider = home.spawn(PYTHON, [good], { COUNTERSIGN_SOCKET: path });
        for (const order of [CREDENTIAL, proofFor(HERE)])
          expect(await outcome(ask(outsider, order))).toBe("peer_unexpected");
        await outsider.stop();
      }
      expect(await outcome(ask(agent, { ...CREDENTIAL, socket: link }))).toBe(200);
    });

    it("gives another agent neither its credential nor its proofs", async () => {
      const agent = runGood();
      const door = await doorOf();
      expect(await outcome(ask(agent, CREDENTIAL))).toBe(200);
      const other = run("owned", [PYTHON, good]);
      for (const order of [CREDENTIAL, proofFor(HERE)])
        expect(await outcome(ask(other, { ...order, socket: door }))).toBe("peer_unexpected");
    });

    it("gives another program behind it no proof of the first one's credential", async () => {
      const both = `exec 3<&0; "${PYTHON}" "${good}" </dev/null; exec "${PYTHON}" "${at("other.py")}" "${good}" <&3`;
      const agent = run("good", ["/bin/sh", "-c", both]);
      expect(await outcome(ask(agent, proofFor(HERE)))).toBe("no_credential");
      expect(await outcome(ask(agent, CREDENTIAL))).toBe("measurement_unknown");
    });

    it("proves nothing to an audience that the registration does not list", async () => {
      const agent = runGood();
      expect(await outcome(ask(agent, CREDENTIAL))).toBe(200);
      expect(await outcome(ask(agent, proofFor(HERE)))).toBe(200);
      expect(await outcome(ask(agent, proofFor("http://localhost:4001/")))).toBe(
        "outside_audiences",
      );
    });

    it("closes with the run, though a descendant lives on", async () => {
      const agent = runGood();
      const door = await doorOf();
      expect(await outcome(ask(agent, CREDENTIAL))).toBe(200);
      agent.write(JSON.stringify({ ...proofFor(HERE), orphaned: true }));
      agent.write(JSON.stringify(CREDENTIAL));
      agent.signal("SIGKILL"); // countersign run, not the agent
      for (const n of [1, 2]) {
        const line = await until("answer of the orphan", () => agent.out[n]);
        expect((JSON.parse(line) as { reason: string }).reason).toMatch(
          /peer_unexpected|FileNotFoundError|ConnectionRefusedError|RemoteDisconnected/,
        );
      }
      await noDoor();
      expect(existsSync(door)).toBe(false);
    });

    it.skipIf(!isRoot)("is made for no other user, whom other sockets refuse", async () => {
      await chmod(home.folder, 0o711);
      await chmod(home.data, 0o711);
      const command = ["setpriv", `--reuid=${OTHER_UID}`, "--clear-groups", PYTHON, good];
      runGood();
      const door = await doorOf();
      const other = home.spawn("/usr/bin/env", command, { COUNTERSIGN_SOCKET: door });
      const order = { path: "/v1/runs", body: { agent: "good" } };
      expect(await outcome(ask(other, { ...order, socket: socket("run.sock") }))).toBe(
        "peer_unexpected",
      );
      expect(await outcome(ask(other, CREDENTIAL))).toBe("PermissionError");
      for (const name of ["server.sock", "proxy.sock"])
        expect(
          await outcome(ask(other, { path: "/v1/status", method: "GET", socket: socket(name) })),
        ).toBe("PermissionError");
      await other.stop();
    });
  });

  // SECURITY.md, "One uid for agent and proxy": what is shown here is not stopped, only made visible in the log.
  describe("an agent of the server's own user that would approve itself", () => {
    const admin = (path: string, body?: object) => ({
      socket: socket("server.sock"),
      path,
      ...(body === undefined ? { method: "GET" as const } : { body }),
    });

    it("REACHES the admin socket; a wrong signature approves nothing; the owner's key file IS the owner", async () => {
      const agent = home.courier("owned");
      hands.push(agent);
      agent.write(JSON.stringify(CREDENTIAL));
      const { id } = await home.waiting();
      const hand = runGood();
      const jkt = await until("owner's key", async () => {
        const { owners } = await home.local("server.sock", "/v1/owners");
        const [me] = owners as readonly { keys: readonly { jkt: string }[] }[];
        return me?.keys[0]?.jkt;
      });
      const shown = await ask(
        hand,
        admin(`/v1/owner/requests/${id}?jkt=${encodeURIComponent(jkt)}&elsewhere=1`),
      );
      expect(shown).toMatchObject({ status: 200 });
      const statement = String(shown["jcs"]);
      const decide = async (signed: Uint8Array): Promise<unknown> => {
        const s = (await owner.sign(signed)).replaceAll(/-----[^\n]*-----|\n/g, "");
        const body = { decision: "approve", statement, sig: { k: "sshsig", s } };
        return outcome(ask(hand, admin(`/v1/owner/requests/${id}/decision`, body)));
      };
      expect(await decide(Buffer.from("something else"))).toBe("signature_invalid");
      expect(await decide(Buffer.from(statement, "base64url"))).toBe(200);
    });
  });
});
