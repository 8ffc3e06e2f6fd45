// The story with a person: he makes a passkey, approves and stops in a browser; the demo says what it waits for.
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../run.mjs";
import { StoryEnd } from "./patience.mjs";
import { refusalOf } from "./refusals.mjs";
import { registerOwned, serviceStartsAs, WAIT_MS, waitingCode } from "./steps.mjs";

/** What of the service's links is the owner's part. */
const OWNERS_LINKS = ["owner-signature", "owner-accepted", "endorsement", "grant", "inclusion"];
const USER_VERIFIED = 3;

/** Another machine's browser has another localhost; passkeys know only this name, so the port is brought there. */
function elsewhere(s, url) {
  const { port } = new URL(url);
  if ((process.env["SSH_CONNECTION"] ?? "") !== "")
    s.report.note(
      `Is your browser on another machine? There, first: ssh -N -L ${port}:localhost:${port} THIS-HOST`,
    );
}

/** Lines that a program has said, as it said them. */
const quote = (s, lines) => {
  for (const { line } of lines) s.report.line(`    ${line.trimEnd()}`);
};

export async function makePasskey(s) {
  s.report.step(
    "You make a passkey",
    "From now on nothing is issued to your agents without a signature by it: not by the server alone, not by the agent.",
  );
  s.report.command("countersign owner invite me");
  const invite = s.world.start("owner", "invite", "me");
  const told = await invite.when(WAIT_MS, "link and code", ({ err }) =>
    err.some(({ line }) => line.includes("type there")) ? [...err] : undefined,
  );
  quote(s, told);
  elsewhere(s, s.world.ready.console);
  const { code } = await s.patience.wait("your passkey, made on that page", invite.exit);
  if (code !== 0) throw new StoryEnd(invite.err.at(-2)?.line ?? invite.said());
  quote(s, invite.out);
  const { owner_pins: pins } = await s.world.pinnedTrust();
  s.owner = pins[0];
  s.report.check(pins.length === 1, `services on this machine pin your key ${pins[0].jkt}`, pins);
}

export async function serviceStarts(s) {
  await serviceStartsAs(
    s,
    join(ROOT, "scripts/demo/service.mjs"),
    "It judges offline, as examples/relying-party.mjs does, and never speaks to the server: the token, the proof of possession, your signature under the pinned key, and that all of it stands in the log.",
  );
}

export async function agentAsks(s) {
  s.report.step(
    "You announce an agent, and start it",
    "It starts behind a door of its own. The proxy asks the kernel who came through it, measures program and script, and passes the request on.",
  );
  s.script = join(s.world.work, "agent.mjs");
  await copyFile(join(ROOT, "examples/agent.mjs"), s.script);
  s.report.command(`countersign agent register hello --owner me --location ${s.url} …`);
  await registerOwned(s, "hello", s.script);
  s.report.command("countersign owner expect hello");
  await s.world.json("owner", "expect", "hello");
  s.report.command(`countersign run --agent hello -- node agent.mjs ${s.url}`);
  s.agent = s.world.agent("hello", s.script, s.url);
  s.code = await s.agent.when(WAIT_MS, "code", waitingCode);
  s.report.check(s.code !== undefined, `it waits, and shows the code ${s.code}`);
}

const credentialOf = ({ err }) =>
  err.map(({ line }) => /^\[\/\/\] countersign {2}(spiffe:\S+)/.exec(line)?.[1]).find(Boolean);

/** The agent's credential; or why it has none, which ends the story as the person wanted it. */
async function decided(s) {
  const id = await s.patience.wait(
    "your decision in the console",
    Promise.race([
      s.agent.when(s.patience.leftMs, "credential", credentialOf).catch(() => undefined),
      s.agent.exit.then(() => undefined),
    ]),
  );
  if (id !== undefined) return id;
  const reason = await refusalOf(s.agent);
  s.report.refused("the agent", reason === "halted" ? "halted" : "approval_denied", reason);
  throw new StoryEnd(
    "You said no, and the agent got nothing. Approve next time to see more.",
    false,
  );
}

export async function ownerApproves(s) {
  s.report.step(
    "You read what is asked, and sign",
    "What the page shows is made from the bytes that your passkey signs. The same code on both screens says that both mean the same request.",
  );
  s.report.note(`Open  ${s.world.ready.console}/  and there: Inbox, Read and decide.`);
  s.report.note(
    `The page must show the code ${s.code}. Read down to its end, then press Approve with passkey.`,
  );
  s.agentId = await decided(s);
  s.report.check(true, `approved, and issued: ${s.agentId}`);
}

export async function serviceChecks(s) {
  s.report.step(
    "The service checks your signature, offline",
    "The agent shows its token, a proof made for this one request, and what your passkey signed.",
  );
  const answer = await s.agent.when(WAIT_MS, "answer of the service", ({ out }) =>
    out.map(({ line }) => line).find((line) => line.startsWith("200 ")),
  );
  const isBoth = answer.includes(s.agentId) && answer.includes(s.owner.owner);
  s.report.check(isBoth, `it answers: ${answer}`, answer);
  const { line } = await s.service.when(WAIT_MS, "verdict", ({ out }) => out[1]);
  const { owner, proof, links } = JSON.parse(line);
  for (const { id, title, result } of links)
    if (OWNERS_LINKS.includes(id)) s.report.check(result === "ok", title, result);
  const isSure = owner.oa >= USER_VERIFIED && owner.vouchedBy === "pin" && proof === "logged";
  s.report.check(isSure, "a passkey that knew its user has signed: assurance 3 of 4", owner);
}

export async function ownerStops(s) {
  s.report.step(
    "You stop it",
    "A stop needs no key: the proxy drops the agent's keys, the server issues nothing more. Until then the agent calls the service once a second.",
  );
  s.report.note(
    `Open  ${s.world.ready.console}/#/stop  and press Stop… beside hello, then Stop it now.`,
  );
  const calls = () => s.agent.out.length;
  const isGood = ({ line }) => line.startsWith("200 ");
  await s.patience.wait(
    () => `your stop (${calls()} calls of the agent so far, all answered)`,
    s.agent.exit,
  );
  const others = s.agent.out.filter((one) => !isGood(one));
  s.report.check(others.length === 0, `${calls()} calls were answered 200 until then`, others);
  s.report.refused("its next proof", "halted", await refusalOf(s.agent));
  s.report.command(`countersign run --agent hello -- node agent.mjs ${s.url}`);
  const again = s.world.agent("hello", s.script, s.url);
  s.report.refused("the same agent, started again", "halted", await refusalOf(again));
  const { rows } = await s.world.local("server.sock", "/v1/log?from=0&to=1000");
  const halt = rows.map(({ type }) => type).filter((type) => type === "halt.set");
  s.report.check(halt.length > 0, `the log says so: ${halt[0]}`, rows.at(-1));
}

/** What stays where the demo cannot reach it. */
export function farewell(s) {
  if (s.owner === undefined) return;
  s.report.line();
  s.report.note(
    "Your passkey for localhost stays on your device, and opens nothing any more: remove it there if you like.",
  );
}
