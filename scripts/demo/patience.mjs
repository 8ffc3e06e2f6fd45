// How long a person is waited for: in all, and told all the while.

const TICK_MS = 1000;

/** The end of a story that a person did not go on with, or ended; its message is for him. */
export class StoryEnd extends Error {
  constructor(message, isFailure = true) {
    super(message);
    this.isFailure = isFailure;
  }
}

/** Time as people read it. */
export function timeLeft(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/** One bound for all that a person does. */
export class Patience {
  #report;
  #ms;
  #until;

  /** @param ms from the first wait on, for all together */
  constructor(report, ms) {
    this.#report = report;
    this.#ms = ms;
  }

  get leftMs() {
    this.#until ??= performance.now() + this.#ms;
    return Math.max(0, this.#until - performance.now());
  }

  /**
   * Resolves as `promise` does, and says meanwhile what is waited for and how long it may take.
   * @param what words behind "waiting for", or what makes them
   * @throws StoryEnd when the time is over
   */
  async wait(what, promise) {
    const words = () => (typeof what === "function" ? what() : what);
    const show = () => this.#report.waiting(words(), timeLeft(this.leftMs));
    let late;
    const over = new Promise((_, reject) => {
      late = setTimeout(() => {
        const text = `Nothing came within ${timeLeft(this.#ms)}: it waited for ${words()}.`;
        reject(new StoryEnd(text));
      }, this.leftMs);
    });
    const tick = setInterval(show, TICK_MS);
    show();
    try {
      return await Promise.race([promise, over]);
    } finally {
      clearInterval(tick);
      clearTimeout(late);
      this.#report.waited();
    }
  }
}
