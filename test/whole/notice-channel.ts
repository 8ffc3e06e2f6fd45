import type { Notice, NoticeChannel } from "../../packages/server/src/notices/notice.ts";

type Answer = "delivered" | "gone" | "later";

/** A channel that keeps what it gets, and answers as it is told. */
export class StandInChannel implements NoticeChannel {
  readonly name: string;
  /** What was tried, repetitions too. */
  readonly tried: {
    readonly notice: Notice;
    readonly target: string;
    readonly signal: AbortSignal;
  }[] = [];
  /** What was taken. */
  readonly taken: Notice[] = [];
  /** Targets of every owner. */
  at: readonly string[] = ["1"];
  answer: (notice: Notice, target: string) => Answer | Promise<Answer> = () => "delivered";

  constructor(name = "test") {
    this.name = name;
  }

  targets(_owner: string): Promise<readonly string[]> {
    return Promise.resolve(this.at);
  }

  async deliver(notice: Notice, target: string, signal: AbortSignal): Promise<Answer> {
    this.tried.push({ notice, target, signal });
    const answer = await this.answer(notice, target);
    if (answer === "delivered") this.taken.push(notice);
    return answer;
  }
}
