import {
  base64url,
  countSigned,
  decideByRules,
  fromBase64url,
  open,
  readStatement,
  Refusal,
  REQUEST,
} from "@countersign/core";
import type {
  JsonObject,
  LeaveReason,
  OwnerSignature,
  PolicyQuestion,
  PolicyRules,
  RefusalCode,
} from "@countersign/core";
import { nodeCrypto as c, pause, systemTimers } from "@countersign/node";
import type { Clock, Timers } from "@countersign/node";
import type { OwnerSigner } from "../signing.ts";
import { list, text } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import type { SignedFile } from "./signed-file.ts";

/** What became of one request. */
export interface Decided {
  readonly do: "signed" | "would_sign" | "left";
  readonly id: string;
  readonly agent: string;
  readonly proxy: string;
  readonly rule?: string;
  /** Digest of the statement that was signed. */
  readonly cs?: string;
  readonly reasons?: readonly LeaveReason[];
  /** The server refused what was signed, or to open the request. */
  readonly refused?: RefusalCode;
}

export interface EngineParts {
  readonly api: LocalApi;
  /** Owner id, and the thumbprint of the key that signs. */
  readonly owner: string;
  readonly jkt: string;
  readonly signer: Pick<OwnerSigner, "sign">;
  readonly rules: PolicyRules;
  readonly signed: SignedFile;
  readonly clock: Clock;
  readonly timers?: Timers;
  /** Nothing is signed, counted or posted. */
  readonly isDryRun: boolean;
  /** Told once of each request that was signed or left. */
  readonly onDecided: (decided: Decided) => void;
}

/** Requests that were left are remembered, so that each is said once. */
const MAX_REMEMBERED = 10_000;
const ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 1_000;

/** Requests that somebody else decided, or that are over, are nothing to say. */
const OVER: readonly RefusalCode[] = [
  "already_decided",
  "approval_expired",
  "not_found",
  "replayed",
];
/** Whether the answer was lost: then it may have been written. */
const UNSURE: readonly RefusalCode[] = ["unreachable", "indeterminate"];

interface Opened {
  readonly statement: PolicyQuestion["statement"];
  readonly question: PolicyQuestion;
}

/**
 * Signs for one owner what lies inside the rules, and leaves the rest for a person. One request at a time: two at once
 * could both take the last place under a rate.
 */
export class PolicyEngine {
  readonly #p: EngineParts;
  readonly #left: Map<string, "left" | { readonly againAt: number }> = new Map();
  #turn: Promise<void> = Promise.resolve();
  #isClosed = false;
  readonly #cancels: Set<() => void> = new Set();

  constructor(parts: EngineParts) {
    this.#p = parts;
  }

  /**
   * Looks at one request as the server lists it, unless it was left before.
   * @throws Refusal `unreachable`, `indeterminate`: it is to be looked at again; `configuration_invalid`
   */
  examine(ask: JsonObject): Promise<void> {
    const next = this.#turn.then(() => (this.#isClosed ? undefined : this.#examine(ask)));
    this.#turn = next.catch(() => undefined); // whoever asked hears of it
    return next;
  }

  /** A request is over: it takes no place any more. */
  forget(req: string): void {
    this.#left.delete(req);
  }

  /** Ends after what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    await this.#turn;
  }

  async #examine(ask: JsonObject): Promise<void> {
    const req = text(ask, "req");
    const { clock } = this.#p;
    const before = this.#left.get(req);
    if (before === "left" || (before !== undefined && clock() < before.againAt)) return;
    const about = { id: text(ask, "id"), agent: text(ask, "agent"), proxy: text(ask, "proxy") };
    try {
      const decided = await this.#decide(ask, about, before !== undefined);
      if (decided !== undefined) this.#p.onDecided(decided);
    } catch (error) {
      if (!(error instanceof Refusal) || UNSURE.includes(error.code)) throw error;
      if (OVER.includes(error.code)) return this.forget(req);
      if (error.code === "configuration_invalid" || error.code === "private_mode") throw error;
      this.#remember(req, "left");
      this.#p.onDecided({ do: "left", ...about, refused: error.code });
    }
  }

  async #decide(
    ask: JsonObject,
    about: Pick<Decided, "id" | "agent" | "proxy">,
    wasLeft: boolean,
  ): Promise<Decided | undefined> {
    const { rules, signed, clock, isDryRun } = this.#p;
    const { statement, question } = await this.#open(about.id);
    const times = await signed.read();
    const ruling = decideByRules(c, rules, question, times, clock());
    if (ruling.do === "leave") {
      this.#leave(ask, ruling.reasons);
      return wasLeft ? undefined : { do: "left", ...about, reasons: ruling.reasons };
    }
    this.forget(text(ask, "req"));
    const said = { ...about, rule: ruling.rule, cs: statement.cs };
    if (isDryRun) {
      this.#remember(text(ask, "req"), "left");
      return { do: "would_sign", ...said };
    }
    // counted before the signature exists: a crash in between costs a place, never gives one
    await signed.write(countSigned(rules, times, ruling.rule, clock()));
    await this.#post(about.id, statement.bytes, await this.#p.signer.sign(statement.bytes));
    return { do: "signed", ...said };
  }

  /** Opens it for our key, and reads everything from the octets. */
  async #open(id: string): Promise<Opened> {
    const { api, owner, jkt } = this.#p;
    const view = await api.get(`/v1/owner/requests/${encodeURIComponent(id)}?jkt=${jkt}`);
    if (view["jcs"] === undefined)
      throw new Refusal("terminal_required", "a person's key: he types the digits of the terminal");
    const statement = readStatement(c, fromBase64url(text(view, "jcs")));
    const request = await open(c, REQUEST, text(view, "request"));
    const { appraisal } = view;
    const warnings: unknown =
      typeof appraisal === "object" && appraisal !== null && "warnings" in appraisal
        ? appraisal["warnings"]
        : undefined;
    // a server that does not say so has not looked
    const told = Array.isArray(warnings) ? warnings.map(String) : ["the appraisal is missing"];
    const question = { statement, request, observed: { warnings: told }, signer: { owner, jkt } };
    return { statement, question };
  }

  /** The same signature again where the answer was lost: the server takes it once. */
  async #post(id: string, statement: Uint8Array, sig: OwnerSignature): Promise<void> {
    const { api, timers = systemTimers } = this.#p;
    const path = `/v1/owner/requests/${encodeURIComponent(id)}`;
    const decision = { decision: "approve", statement: base64url(statement), sig: { ...sig } };
    for (let attempt = 1; ; attempt += 1)
      try {
        await api.post(`${path}/decision`, decision);
        return;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (OVER.includes(error.code) && attempt > 1 && (await this.#isApproved(path))) return;
        if (!UNSURE.includes(error.code) || attempt === ATTEMPTS) throw error;
        await pause(timers, BETWEEN_ATTEMPTS_MS);
      }
  }

  async #isApproved(path: string): Promise<boolean> {
    return (await this.#p.api.get(path))["state"] === "approved";
  }

  /** Left; looked at again by itself where only a rate stands in the way. */
  #leave(ask: JsonObject, reasons: readonly LeaveReason[]): void {
    const { clock, timers = systemTimers } = this.#p;
    const req = text(ask, "req");
    const again = reasons.flatMap((reason) => reason.againAt ?? []);
    const isOnlyRate = reasons.every(({ code }) => code === "rate_reached");
    const againAt = Math.min(...again);
    if (!isOnlyRate) return this.#remember(req, "left");
    this.#remember(req, { againAt });
    const cancel = timers.after((againAt - clock()) * 1000, () => {
      this.#cancels.delete(cancel);
      // a failure is met again with the next event, or when the stream begins anew
      void this.examine(ask).catch(() => undefined);
    });
    this.#cancels.add(cancel);
  }

  #remember(req: string, what: "left" | { readonly againAt: number }): void {
    this.#left.set(req, what);
    const [oldest] = this.#left.keys();
    if (this.#left.size > MAX_REMEMBERED && oldest !== undefined) this.#left.delete(oldest);
  }
}

/** Lists the open requests of an owner. */
export async function openRequests(api: LocalApi, owner: string): Promise<readonly JsonObject[]> {
  const query = new URLSearchParams({ owner });
  return list(await api.get(`/v1/owner/requests?${query.toString()}`), "requests");
}
