import { spawnSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeShown, Home, tell } from "../e2e/countersign.ts";
import { judged, signingLines } from "./owner-flow.ts";
import { peer } from "./peers.ts";

const openssl = peer("openssl");
const EKU = "1.3.6.1.4.1.32473.5.1";

describe.skipIf(!openssl.present)("an owner whose certificate OpenSSL has issued", () => {
  let home: Home;
  const P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
  const run = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync(openssl.path, [...args], { encoding: "utf8", input: "" });
    expect({ status, stderr }).toMatchObject({ status: 0 });
  };
  const file = (name: string): string => home.file(name);

  beforeAll(async () => {
    home = await Home.create();
    const { running } = await home.dev();
    await running.stop();
    for (const name of ["ca", "other"])
      run(
        ...["req", "-x509", ...P256, "-keyout", file(`${name}.key`), "-out", file(`${name}.pem`)],
        ...["-subj", `/CN=Owners of ${name}`, "-days", "30"],
        ...["-addext", "keyUsage=critical,keyCertSign"],
      );
    const yaml = join(home.data, "server", "server.yaml");
    appendFileSync(yaml, `owner_cas: ["${EKU}@${file("ca.pem")}"]\n`);
    await home.dev();
  });
  afterAll(() => home.close());

  /** A certificate for the owner's key, as a company's CA would issue it. */
  function issue(key: string, owner: string, ca = "ca"): string {
    writeFileSync(
      file("extensions"),
      `subjectAltName=URI:${owner}\nextendedKeyUsage=${EKU}\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n`,
    );
    const out = `${key}.${ca}.crt`;
    run("req", "-new", "-key", key, "-subj", "/CN=an owner", "-out", `${key}.csr`);
    run(
      ...[
        "x509",
        "-req",
        "-in",
        `${key}.csr`,
        "-CA",
        file(`${ca}.pem`),
        "-CAkey",
        file(`${ca}.key`),
      ],
      ...["-days", "1", "-extfile", file("extensions"), "-out", out],
    );
    return out;
  }

  it("is told the owner's id first, enrols with it, and a service that knows the CA alone accepts him", async () => {
    const key = file("alice.key");
    run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key);
    const enrol = ["owner", "enrol", "alice", "--key", key];
    const printed = await home.cli([...enrol, "--print", "--statement", file("first.json")]);
    const [owner = ""] = /urn:agent-owner:[A-Za-z0-9.:_-]+/.exec(printed.err) ?? [];
    const said = JSON.parse(readFileSync(file("first.json"), "utf8")) as { owner: { id: string } };
    expect(owner.replace(/:$/, "")).toBe(said.owner.id);

    const wrong = issue(key, said.owner.id, "other");
    const refused = await home.cli([...enrol, "--certificate", wrong, "--json"]);
    expect(JSON.parse(refused.err)).toMatchObject({ reason: "untrusted_chain" });
    const nobody = issue(key, "urn:agent-owner:example.org:mallory-01");
    const named = await home.cli([...enrol, "--certificate", nobody, "--json"]);
    expect(JSON.parse(named.err)).toMatchObject({
      reason: "owner_key_unaccepted",
      next: expect.stringContaining(said.owner.id) as unknown,
    });
    const enrolled = await home.json([...enrol, "--certificate", issue(key, said.owner.id)]);
    expect(enrolled).toMatchObject({ basis: "x509", owner: said.owner.id });

    expect((await home.cli(["owner", "list"])).out).toContain("certified until ");

    await home.register("mailer", "--owner", "alice");
    const agent = home.courier("mailer");
    const answer = tell(agent, "/v1/credential?wait=60");
    await agent.when("code", codeShown);
    const { id } = await home.waiting();
    const statement = file("approve.json");
    const approve = ["owner", "approve", id, "--key", key];
    const lines = await home.cli([...approve, "--print", "--statement", statement]);
    for (const line of signingLines(lines.err))
      expect(spawnSync("sh", ["-c", line], { input: "" }).status).toBe(0);
    await home.json([...approve, "--signature", `${statement}.sig`]);
    expect(await answer).toMatchObject({ status: 200 });

    const ca = (name: string) => ({
      owner_pins: [],
      owner_cas: [{ certificates: [readFileSync(file(`${name}.pem`), "utf8")], eku: EKU }],
    });
    expect(await judged(home, agent, ca("ca"))).toMatchObject({
      proof: "logged",
      owner: { vouchedBy: "x509", oa: 2 },
    });
    await expect(judged(home, agent, ca("other"))).rejects.toThrow("owner_key_unaccepted");
    await agent.stop();
  });
});
