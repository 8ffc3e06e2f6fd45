import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Home, tell } from "../e2e/countersign.ts";
import { codeShown } from "../e2e/countersign.ts";
import { judged, signingLines } from "./owner-flow.ts";
import { peer } from "./peers.ts";

const openssl = peer("openssl");

describe.skipIf(!openssl.present)("an owner whose key OpenSSL has made", () => {
  let home: Home;
  beforeAll(async () => {
    home = await Home.create();
    await home.dev();
  });
  afterAll(() => home.close());

  const run = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync(openssl.path, [...args], { encoding: "utf8", input: "" });
    expect({ status, stderr }).toMatchObject({ status: 0 });
  };
  const P256 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

  /** Approves what waits by the lines that `--print` shows, run by a shell. */
  async function approveElsewhere(id: string, key: string, as: (line: string) => string) {
    const file = home.file(`approve-${id}.json`);
    const approve = ["owner", "approve", id, "--key", key];
    const printed = await home.cli([...approve, "--print", "--statement", file]);
    expect(printed).toMatchObject({ code: 0 });
    for (const line of signingLines(printed.err)) {
      const { status, stderr } = spawnSync("sh", ["-c", as(line)], { encoding: "utf8", input: "" });
      expect({ line, status, stderr }).toMatchObject({ status: 0 });
    }
    return { file, approve };
  }

  it.each([
    ["P-256", P256],
    ["Ed25519", ["-algorithm", "ED25519"]],
  ] as const)(
    "%s: enrols, approves by the lines printed, and a service accepts it",
    async (kind, how) => {
      const name = kind.toLowerCase().replace("-", "");
      const key = home.file(`${name}.pem`);
      run("genpkey", ...how, "-out", key);
      run("pkey", "-in", key, "-pubout", "-out", `${key}.pub`);
      await home.json(["owner", "enrol", name, "--key", key]);
      await home.register(`agent-${name}`, "--owner", name);
      const agent = home.courier(`agent-${name}`);
      const answer = tell(agent, "/v1/credential?wait=60");
      await agent.when("code", codeShown);
      const { id } = await home.waiting();
      const { file, approve } = await approveElsewhere(id, `${key}.pub`, (line) => line);
      await home.json([...approve, "--signature", `${file}.sig`]);
      expect(await answer).toMatchObject({ status: 200 });
      expect(await judged(home, agent)).toMatchObject({
        proof: "logged",
        owner: { oa: 2, vouchedBy: "pin" },
      });
      await agent.stop();
    },
  );

  it("an encrypted key signs, and OpenSSL asks for its passphrase, not we", async () => {
    const key = home.file("locked.pem");
    const secret = home.file("passphrase");
    writeFileSync(secret, "a passphrase\n", { mode: 0o600 });
    run("genpkey", ...P256, "-aes-256-cbc", "-pass", `file:${secret}`, "-out", key);
    const refused = await home.cli(["owner", "enrol", "locked", "--key", key, "--json"]);
    const { reason, next } = JSON.parse(refused.err) as { reason: string; next: string };
    expect([reason, next]).toMatchObject(["key_unsupported", expect.stringContaining("--print")]);

    run("pkey", "-in", key, "-passin", `file:${secret}`, "-pubout", "-out", `${key}.pub`);
    const file = home.file("locked.json");
    const enrol = ["owner", "enrol", "locked", "--key", `${key}.pub`];
    const printed = await home.cli([...enrol, "--print", "--statement", file]);
    for (const line of signingLines(printed.err)) {
      const as = line.replace(" -sign ", ` -passin file:${secret} -sign `);
      expect(spawnSync("sh", ["-c", as], { input: "" }).status).toBe(0);
    }
    await home.json([...enrol, "--signature", `${file}.sig`]);
  });

  it("refuses a signature that was made over something else, before it is posted", async () => {
    const key = home.file("other.pem");
    run("genpkey", ...P256, "-out", key);
    const file = home.file("other.json");
    const enrol = ["owner", "enrol", "other", "--key", key];
    expect(await home.cli([...enrol, "--print", "--statement", file])).toMatchObject({ code: 0 });
    // over the statement itself, as one would sign any file
    run("dgst", "-sha256", "-sign", key, "-out", `${file}.sig`, file);
    const brought = await home.cli([...enrol, "--signature", `${file}.sig`, "--json"]);
    expect(JSON.parse(brought.err)).toMatchObject({ reason: "signature_invalid" });
  });

  it("takes a compact JWS that another program put together", async () => {
    const key = home.file("jws.pem");
    run("genpkey", "-algorithm", "ED25519", "-out", key);
    const file = home.file("jws.json");
    const enrol = ["owner", "enrol", "jws", "--key", key];
    const printed = await home.cli([...enrol, "--print", "--statement", file]);
    for (const line of signingLines(printed.err)) spawnSync("sh", ["-c", line], { input: "" });
    const signature = readFileSync(`${file}.sig`).toString("base64url");
    writeFileSync(`${file}.jws`, `${readFileSync(`${file}.input`, "utf8")}.${signature}\n`);
    await home.json([...enrol, "--signature", `${file}.jws`]);
  });
});
