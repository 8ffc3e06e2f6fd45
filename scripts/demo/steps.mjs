// The story: how an agent comes to a credential that its owner has countersigned. `s` is what the steps share.
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { ROOT } from "../run.mjs";
import { makeOwnerKey } from "./owner-key.mjs";
import { until } from "./processes.mjs";

export const WAIT_MS = 20_000;
/** Life of a credential of `hello`: so short that renewals can be watched. */
const MAX_TTL_SECONDS = 10;
const RENEWALS = 2;

/** A wait as people read it. */
export const took = (ms) =>
  ms < 1000 ? `${Math.max(0, ms).toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;

export async function startUp(s) {
  s.report.step(
    "A server and a proxy start",
    "The server issues credentials and keeps the log. The proxy looks at the programs of this host, and keeps the keys: an agent never sees one.",
  );
  s.report.command("countersign dev");
  const begun = performance.now();
  const { trust_domain: domain } = await s.world.startDev();
  const waited = took(performance.now() - begun);
  s.report.check(domain.endsWith(".dev.invalid"), `ready after ${waited}: ${domain}`, domain);
}

export async function enrolOwner(s) {
  s.report.step(
    "An owner enrols a key",
    "A key file as ssh-keygen makes it. From now on nothing is issued to this owner's agents without a signature by it: not by the server alone, not by the agent.",
  );
  s.owner = await makeOwnerKey(join(s.world.work, "owner_key"));
  s.report.command("countersign owner enrol me --key owner_key");
  const { jkt, owner } = await s.world.json("owner", "enrol", "me", "--key", s.owner.path);
  const { owner_pins: pins } = await s.world.pinnedTrust();
  const pin = pins.find((one) => one.jkt === jkt);
  s.report.check(pin?.owner === owner, `services on this machine pin the key ${jkt}`, pins);
  s.owner.id = owner;
}

export function serviceStarts(s) {
  return serviceStartsAs(
    s,
    join(ROOT, "examples/relying-party.mjs"),
    "examples/relying-party.mjs judges offline: the token, the proof of possession, the owner's signature under the pinned key, and that all of it stands in the log.",
  );
}

/** Starts this program as the service, and shows that it lets nobody in who has nothing to show. */
export async function serviceStartsAs(s, program, why) {
  s.report.step("A service starts that demands the owner's proof", why);
  s.report.command(`node ${basename(program)} relying-party.json`);
  s.service = s.world.node([program, s.world.ready.relying_party, String(s.port)]);
  await s.service.when(WAIT_MS, "service", ({ out }) => out[0]);
  const answer = await fetch(s.url);
  const { reason } = await answer.json();
  s.report.refused("a caller without any token", "wpt_missing", reason);
}

/** Registers a program: who it is, and the one address that it may prove itself to. */
export function register(s, name, script, ...more) {
  const program = ["--program", process.execPath, "--script", script, "--audience", s.url];
  return s.world.json("agent", "register", name, ...program, ...more);
}

/** The same for an agent of the owner; the address is in what the owner signs. */
export function registerOwned(s, name, script, ...more) {
  const ceiling = ["--location", s.url, "--action", "GET"];
  return register(s, name, script, "--owner", "me", ...ceiling, ...more);
}

/** The owner's side, without a prompt: the documented path for signing somewhere else. */
export async function approve(s, id) {
  const key = ["--key", `${s.owner.path}.pub`];
  const statement = join(s.world.work, `statement-${id}.json`);
  const screen = await s.world.cli(
    ...["owner", "approve", id, ...key, "--print", "--statement", statement],
  );
  if (screen.code !== 0) throw new Error(screen.err);
  await writeFile(`${statement}.sig`, await s.owner.sign(await readFile(statement)));
  const bring = [...key, "--signature", `${statement}.sig`];
  const approved = await s.world.json("owner", "approve", id, ...bring);
  return { ...approved, screen: screen.err, statement };
}

/** The code that `countersign run` shows while the owner is asked. */
export const waitingCode = ({ err }) =>
  err
    .map(({ line }) => /waiting for the owner, code ([0-9A-Z]{5}-[0-9A-Z]{5})/.exec(line)?.[1])
    .find(Boolean);

export async function agentAsks(s) {
  s.report.step(
    "An agent asks, and waits for its owner",
    `examples/agent.mjs starts behind a door of its own. The proxy asks the kernel who came through it, measures program and script, and passes the request on. This agent's credentials live ${MAX_TTL_SECONDS} s.`,
  );
  s.script = join(s.world.work, "agent.mjs"); // a copy: a later step changes it
  await copyFile(join(ROOT, "examples/agent.mjs"), s.script);
  s.report.command(`countersign agent register hello --owner me --location ${s.url} …`);
  await registerOwned(s, "hello", s.script, "--max-ttl", String(MAX_TTL_SECONDS));
  s.report.command(`countersign run --agent hello -- node agent.mjs ${s.url}`);
  s.agent = s.world.agent("hello", s.script, s.url);
  s.code = await s.agent.when(WAIT_MS, "code", waitingCode);
  const { sessions } = (await s.world.doors("hello"))[0];
  const isWaiting = sessions.length === 1 && sessions[0].state === "waiting";
  s.report.check(isWaiting, `it waits, and shows the code ${s.code}`, sessions);
}

export async function ownerApproves(s) {
  s.report.step(
    "The owner reads what is asked, and signs",
    "The text names program, script, host, address and bounds; what is shown is made from the bytes that are signed. The same code on both screens says that both mean the same request.",
  );
  const { id } = await s.world.waitingRequest("hello");
  s.report.command(`countersign owner approve ${id} --key owner_key`);
  const approved = await approve(s, id);
  s.report.check(
    approved.screen.includes(`code ${s.code}`),
    `the owner's screen shows the code ${s.code} too`,
    approved.screen,
  );
  s.report.check(approved.state === "approved", `approved: ${approved.agent}`, approved);
  s.agentId = approved.agent;
}

export async function serviceAnswers(s) {
  s.report.step(
    "The agent calls the service",
    "It shows its token and a proof made for this one request, and when asked the owner's signature.",
  );
  const answer = await s.agent.when(WAIT_MS, "answer of the service", ({ out }) =>
    out.map(({ line }) => line).find((line) => line.startsWith("200 ")),
  );
  const isBoth = answer.includes(s.agentId) && answer.includes(s.owner.id);
  s.report.check(isBoth, `it answers: ${answer}`, answer);
}

export async function renewals(s) {
  s.report.step(
    "The credential renews itself",
    "Before half of its life is over the proxy looks at the program again and asks for the next one, with a new key, inside what the owner signed. Nobody is asked.",
  );
  const seen = [];
  await until((RENEWALS + 1) * MAX_TTL_SECONDS * 1000, "renewals", async () => {
    const [{ sessions }] = await s.world.doors("hello");
    const { n, jti } = sessions[0];
    if (n !== undefined && seen.at(-1)?.n !== n) seen.push({ n, jti, at: performance.now() });
    return seen.length > RENEWALS ? seen : undefined;
  });
  for (const [i, { n, at }] of seen.entries())
    if (i > 0)
      s.report.note(`credential ${n} came ${took(at - seen[i - 1].at)} after credential ${n - 1}`);
  const isCounted = seen.every(({ n }, i) => n === seen[0].n + i);
  const isNew = new Set(seen.map(({ jti }) => jti)).size === seen.length;
  s.report.check(isCounted && isNew, "each renewal is another credential, counted", seen);
  const refused = s.agent.out.map(({ line }) => line).filter((line) => !line.startsWith("200 "));
  s.report.check(
    s.agent.end === undefined && refused.length === 0,
    `the agent noticed nothing: ${s.agent.out.length} calls, all answered 200`,
    refused,
  );
}
