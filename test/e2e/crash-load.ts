import { base64url, fromBase64url, readIssuedAnswer, parseTlogProof } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import { joinSecret } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { enrolWith, Lost, makeSent } from "./crash-client.ts";
import type { Agent, Cast, Sent } from "./crash-client.ts";

/** Everything that the server was asked and that it has acknowledged, over all its lives. */
export interface Ledger {
  readonly sent: Sent[];
  readonly approvals: { readonly id: string; readonly bytes: Bytes; cs?: string }[];
  readonly halts: { id?: string }[];
  /** Stops that somebody lifts, also before the answer of the halt that made them is back. */
  readonly lifted: Set<string>;
  readonly enrolments: { readonly name: string; readonly secret: string; isDone: boolean }[];
  /** The newest checkpoint that was shown. */
  checkpoint?: string;
  /** How often what was used before was tried again. */
  repeats: number;
}

export const emptyLedger = (): Ledger => ({
  sent: [],
  approvals: [],
  halts: [],
  lifted: new Set(),
  enrolments: [],
  repeats: 0,
});

const FOUND = "a single-use value worked twice";
/** What the server may say to a request that was good when it was made. */
const PASSING = new Set([
  "200",
  "202",
  "stale",
  "halted",
  "grant_ended",
  "indeterminate",
  "nonce_unknown",
]);

const sizeOf = (checkpoint: string): number => Number(checkpoint.split("\n")[1]);

function noteCheckpoint(ledger: Ledger, text: string): void {
  if (sizeOf(text) > sizeOf(ledger.checkpoint ?? "\n0")) ledger.checkpoint = text;
}

/** The parts of an issued answer that must still be true later. */
export function issuedOf({ body }: Answered): {
  jti: string;
  n: number;
  leaf: string;
  index: number;
} {
  const { bundle, jti, n } = readIssuedAnswer(body);
  const { index } = parseTlogProof(bundle.credential.proof);
  return { jti, n, leaf: base64url(bundle.credential.leaf), index };
}

/** One life of the server: what is done to it, and where it is written down. */
export class Load {
  readonly #cast: Cast;
  readonly #ledger: Ledger;
  readonly #draw: () => number;

  constructor(cast: Cast, ledger: Ledger, draw: () => number) {
    this.#cast = cast;
    this.#ledger = ledger;
    this.#draw = draw;
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#draw() * list.length)];
  }

  /** Acts one after the other until the server is gone. */
  async run(): Promise<void> {
    try {
      for (;;) await this.#act();
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    }
  }

  #act(): Promise<unknown> {
    const agent = this.#one(this.#cast.agents);
    if (agent === undefined) throw new Error("nobody acts");
    const roll = this.#draw();
    if (roll < 0.04) return this.#halt(agent);
    if (roll < 0.08) return this.#enrol();
    if (roll < 0.2) return this.#repeat();
    if (agent.cs !== undefined && roll < 0.9) return this.#issue(agent);
    return agent.ask === undefined ? this.#ask(agent) : this.#approve(agent, agent.ask);
  }

  async post(sent: Sent): Promise<Answered> {
    const answer = await sent.agent.host.post(sent.posted);
    sent.answer = answer;
    if (answer.word === "200") {
      const { bundle } = readIssuedAnswer(answer.body);
      noteCheckpoint(this.#ledger, parseTlogProof(bundle.credential.proof).checkpoint);
    }
    return answer;
  }

  async #send(agent: Agent, cs: Sent["cs"]): Promise<Answered> {
    const sent = await makeSent(agent, { cs });
    this.#ledger.sent.push(sent);
    const answer = await this.post(sent);
    if (!PASSING.has(answer.word)) throw new Error(`unexpected: ${answer.word} ${answer.text}`);
    return answer;
  }

  async #ask(agent: Agent): Promise<void> {
    const answer = await this.#send(agent, undefined);
    if (answer.word === "202") agent.ask = textOf(answer.body["id"]);
    else if (answer.word === "halted") await this.lift(agent);
  }

  async #issue(agent: Agent): Promise<void> {
    const { word } = await this.#send(agent, agent.cs);
    if (word === "202" || word === "halted" || word === "grant_ended") agent.cs = undefined;
  }

  async #approve(agent: Agent, id: string): Promise<void> {
    agent.ask = undefined;
    const { owner } = this.#cast;
    let bytes: Bytes;
    try {
      bytes = await owner.open(id);
    } catch (error) {
      if (error instanceof Lost) throw error;
      return; // superseded meanwhile
    }
    const approval: Ledger["approvals"][number] = { id, bytes };
    this.#ledger.approvals.push(approval);
    const answer = await owner.decide(id, bytes);
    if (answer.word !== "200") return;
    approval.cs = textOf(answer.body["cs"]);
    agent.cs = `sha-256:${approval.cs.slice("sha-256:".length)}`;
  }

  async #halt(agent: Agent): Promise<void> {
    const halt: Ledger["halts"][number] = {};
    this.#ledger.halts.push(halt);
    const json = { scope: "agent", target: agent.id, reason: "drill" };
    const { body } = await this.#cast.remote.call("admin", "POST /v1/halts", { json });
    halt.id = textOf(body["id"]);
    agent.cs = undefined;
    agent.ask = undefined;
  }

  /** Lifts every stop of an agent; those whose answer was lost too. */
  async lift(agent: Agent): Promise<void> {
    const { remote } = this.#cast;
    const { body } = await remote.call("admin", "GET /v1/halts");
    for (const stop of body["stops"] as { id: string; target: string }[])
      if (stop.target === agent.id) {
        this.#ledger.lifted.add(stop.id);
        await remote.call("admin", `DELETE /v1/halts/${encodeURIComponent(stop.id)}`);
      }
  }

  async #enrol(): Promise<void> {
    const { remote } = this.#cast;
    const name = `extra-${this.#ledger.enrolments.length}`;
    const enrolment = { name, secret: await joinSecret(remote.rig, { name }), isDone: false };
    this.#ledger.enrolments.push(enrolment);
    enrolment.isDone = typeof (await enrolWith(remote, name, enrolment.secret)) !== "string";
  }

  /** Uses again what an acknowledged act has used. */
  async #repeat(): Promise<void> {
    const done = this.#ledger.sent.filter(
      ({ answer, at }) =>
        answer !== undefined && ["200", "202"].includes(answer.word) && Date.now() - at < 60_000,
    );
    const sent = this.#one(done);
    if (sent === undefined) return;
    this.#ledger.repeats += 1;
    const roll = this.#draw();
    if (roll < 0.4) await this.repeatRequest(sent);
    else if (roll < 0.7) await this.#repeatPart(sent, { nonce: sent.nonce });
    else if (roll < 0.9 && sent.answer?.word === "200")
      await this.#repeatPart(sent, { key: sent.key });
    else await this.repeatApproval(this.#one(this.#ledger.approvals));
  }

  /** The same octets: the same outcome, or none. */
  async repeatRequest(sent: Sent): Promise<void> {
    const before = sent.answer;
    const again = await sent.agent.host.post(sent.posted);
    if (
      again.word === "200" &&
      (before?.word !== "200" || issuedOf(again).jti !== issuedOf(before).jti)
    )
      throw new Error(`${FOUND}: a request`);
    if (!["200", "202", "stale", "halted"].includes(again.word))
      throw new Error(`repeated: ${again.word}`);
  }

  async #repeatPart(
    sent: Sent,
    part: { nonce?: string } & Partial<Pick<Sent, "key">>,
  ): Promise<void> {
    const { word } = await sent.agent.host.post(
      (await makeSent(sent.agent, { cs: sent.cs, ...part })).posted,
    );
    if (word === "200" || word === "202") throw new Error(`${FOUND}: ${Object.keys(part).join()}`);
  }

  async repeatApproval(approval: Ledger["approvals"][number] | undefined): Promise<void> {
    if (approval?.cs === undefined) return;
    const { word } = await this.#cast.owner.decide(approval.id, approval.bytes);
    if (word === "200") throw new Error(`${FOUND}: a statement`);
  }
}

/** The octets of a row's leaf. */
export const leafOf = (row: { readonly leaf: string }): Bytes => fromBase64url(row.leaf);
