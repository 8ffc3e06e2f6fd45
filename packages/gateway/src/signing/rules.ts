import { countSigned, decideByRules } from "@countersign/core";
import type {
  Crypto,
  PolicyQuestion,
  PolicyRules,
  PolicyRuling,
  Seconds,
  SignedTimes,
} from "@countersign/core";

/**
 * The owner's rules, and how often each has signed. Questions are decided one after the other, and a signature is
 * counted, durably, before it is made: two at once, or a crash, make no more than the rate allows.
 */
export class RuleBook {
  readonly #rules: PolicyRules;
  readonly #keep: (times: SignedTimes) => Promise<void>;
  #times: SignedTimes;
  #last: Promise<unknown> = Promise.resolve();

  /** @param keep stores the times durably; a rejection leaves the question to a person */
  constructor(rules: PolicyRules, times: SignedTimes, keep: (times: SignedTimes) => Promise<void>) {
    this.#rules = rules;
    this.#times = times;
    this.#keep = keep;
  }

  decide(c: Crypto, question: PolicyQuestion, now: Seconds): Promise<PolicyRuling> {
    const ruled = this.#last.then(() => this.#decide(c, question, now));
    this.#last = ruled.catch(() => undefined);
    return ruled;
  }

  async #decide(c: Crypto, question: PolicyQuestion, now: Seconds): Promise<PolicyRuling> {
    const ruling = decideByRules(c, this.#rules, question, this.#times, now);
    if (ruling.do === "leave") return ruling;
    const times = countSigned(this.#rules, this.#times, ruling.rule, now);
    await this.#keep(times);
    this.#times = times;
    return ruling;
  }
}
