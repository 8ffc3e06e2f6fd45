// What must not work, each with the reason that the caller is told.
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { base64url, hashOf, sealWpt } from "@countersign/core";
import { generateSigner, nodeCrypto, nodeRandom } from "@countersign/node";
import { ROOT } from "../run.mjs";
import { within } from "./processes.mjs";
import { approve, register, registerOwned, took, WAIT_MS, waitingCode } from "./steps.mjs";

/** The reason with which a program ended, as it stands in what it said; or all that it said. */
export async function refusalOf(program) {
  const { code } = await within(WAIT_MS, "end of a refused program", program.exit);
  const [, reason] = /\brefused: ([a-z_]+)/.exec(program.said()) ?? [];
  return code === 0 || reason === undefined ? { code, said: program.said() } : reason;
}

/** Asks the courier for one call at its door, and waits for its answer. */
async function askCourier(program, path, body) {
  const { length } = program.out;
  program.write(JSON.stringify({ path, body }));
  const { line, at } = await program.when(WAIT_MS, `answer to ${path}`, ({ out }) => out[length]);
  return { ...JSON.parse(line), at };
}

/** Sends a request as whoever holds these tokens can. */
async function send(s, { wit, wpt, evidence }) {
  const headers = {
    authorization: `WPT ${wpt}`,
    "workload-identity-token": wit,
    ...(evidence === undefined ? {} : { "agent-owner-evidence": evidence }),
  };
  const answer = await fetch(s.url, { headers });
  const text = await answer.text();
  return { status: answer.status, reason: answer.ok ? undefined : JSON.parse(text).reason };
}

export async function carelessAgent(s) {
  s.report.step(
    "A second agent, which is careless",
    "The courier gives away every token it gets, as an agent does whose requests end up in a log. Its owner approves it the same way.",
  );
  const script = join(ROOT, "scripts/demo/courier.mjs");
  await registerOwned(s, "courier", script);
  s.report.command("countersign run --agent courier -- node courier.mjs");
  s.courier = s.world.agent("courier", script);
  s.tell = (path, body) => askCourier(s.courier, path, body);
  const asked = s.tell("/v1/credential?wait=30", {});
  const { id } = await s.world.waitingRequest("courier");
  s.approved = await approve(s, id);
  const { status, id: agent } = await asked;
  s.report.check(status === 200 && agent === s.approved.agent, `approved: ${agent}`, status);
}

export async function tokensStolen(s) {
  s.report.step(
    "Somebody finds the courier's tokens",
    "A token is worth nothing without its key, which never leaves the proxy; a proof is good for one request.",
  );
  const shown = await s.tell("/v1/proof", { aud: s.url, evidence: true });
  const first = await send(s, shown);
  s.report.check(first.status === 200, "the courier's own request is answered", first);
  const again = await send(s, shown);
  s.report.refused("the same proof again", "replayed", again.reason);
  const claims = {
    aud: s.url,
    exp: Math.floor(Date.now() / 1000) + 30,
    jti: base64url(nodeRandom(16)),
    wth: hashOf(nodeCrypto, shown.wit),
  };
  const { octets: wpt } = await sealWpt(nodeCrypto, claims, generateSigner());
  const stolen = await send(s, { wit: shown.wit, wpt });
  s.report.refused("the token with a proof by another key", "invalid_signature", stolen.reason);
}

export async function atTheDoor(s) {
  s.report.step(
    "Another program of the same user finds the agent's door",
    "Even the very same program file is refused: the kernel says that this process was not started by the run that the door belongs to.",
  );
  const [{ path }] = await s.world.doors("hello");
  s.report.command(`COUNTERSIGN_SOCKET=… node agent.mjs ${s.url}`);
  const stranger = s.world.node([s.script, s.url], { COUNTERSIGN_SOCKET: path });
  s.report.refused("a stranger at the door", "peer_unexpected", await refusalOf(stranger));
}

export async function elsewhere(s) {
  s.report.step(
    "The agent is talked into calling another place",
    "The owner signed one address. For any other the proxy makes no proof, whatever the agent is told.",
  );
  const url = "http://localhost:9/";
  s.report.command(`countersign run --agent hello -- node agent.mjs ${url}`);
  const strayed = s.world.agent("hello", s.script, url);
  s.report.refused("a proof for another address", "outside_ceiling", await refusalOf(strayed));
}

export async function withoutOwner(s) {
  s.report.step(
    "An agent without an owner calls the same service",
    "Its program is pinned, so the server gives it a credential; a service that wants somebody to answer for the caller turns it away.",
  );
  const script = join(ROOT, "examples/agent.mjs");
  await register(s, "orphan", script, "--pin");
  s.report.command(`countersign run --agent orphan -- node agent.mjs ${s.url}`);
  const orphan = s.world.agent("orphan", script, s.url);
  const line = await orphan.when(WAIT_MS, "answer of the service", ({ out }) => out[0]?.line);
  const reason = line.startsWith("403 ") ? JSON.parse(line.slice(4)).reason : line;
  s.report.refused("a token without an owner", "owner_missing", reason);
  await orphan.stop();
}

export async function scriptReplaced(s) {
  s.report.step(
    "Somebody changes the agent's script and starts it again",
    "Another program under an approved name: the owner is asked, with the reason first, and says no.",
  );
  await s.agent.stop();
  await writeFile(s.script, `${await readFile(s.script, "utf8")}// one line more\n`);
  s.report.command(`echo '// one line more' >> agent.mjs`);
  const changed = s.world.agent("hello", s.script, s.url);
  await changed.when(WAIT_MS, "code", waitingCode);
  const { id, reasons } = await s.world.waitingRequest("hello");
  const why = reasons.find(({ code }) => code === "measurement_changed");
  s.report.check(why !== undefined, `the owner is asked, because: ${why?.text}`, reasons);
  s.report.command(`countersign owner deny ${id}`);
  await s.world.json("owner", "deny", id);
  s.report.refused("the changed script", "approval_denied", await refusalOf(changed));
  await copyFile(join(ROOT, "examples/agent.mjs"), s.script);
  s.agent = s.world.agent("hello", s.script, s.url);
  const answer = await s.agent.when(WAIT_MS, "answer", ({ out }) => out[0]?.line);
  const isAsked = waitingCode(s.agent) !== undefined;
  s.report.check(
    answer.startsWith("200 ") && !isAsked,
    "the script as it was starts again, inside its approval: nobody is asked",
    answer,
  );
}

export async function halted(s) {
  s.report.step(
    "The owner stops the courier",
    "One command ends its approvals. The proxy drops the keys, the server issues nothing more; a token that was shown already dies at its expiry.",
  );
  const before = await s.tell("/v1/proof", { aud: s.url });
  s.report.check(before.status === 200, "until now it gets its proofs", before);
  s.report.command("countersign halt agent courier");
  const { code, err, outAt } = await s.world.cli("halt", "agent", "courier", "--json");
  s.report.check(code === 0, "stopped", err);
  const proof = await s.tell("/v1/proof", { aud: s.url });
  const asked = await s.tell("/v1/credential", {});
  s.report.refused(`a proof, ${took(proof.at - outAt)} after the answer`, "halted", proof.reason);
  s.report.refused(
    `a new credential, by the server, ${took(asked.at - outAt)} after it`,
    "halted",
    asked.reason,
  );
  const { rows } = await s.world.local("server.sock", "/v1/log?from=0&to=1000");
  const last = rows.findLast(({ type }) => type === "credential.refused");
  const leaf = last && JSON.parse(Buffer.from(last.leaf, "base64url").toString());
  s.report.check(leaf?.reason === "halted", "the log says so: credential.refused, halted", leaf);
  const { length } = s.agent.out;
  const next = await s.agent.when(WAIT_MS, "next answer", ({ out }) => out[length]?.line);
  s.report.check(next.startsWith("200 "), "the other agent of this owner goes on", next);
}
