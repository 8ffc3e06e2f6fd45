/** Seconds before an end at which what is left is spoken. */
const SPOKEN_SECONDS = [60, 10] as const;

/** Says when what is left has to be spoken: once at each mark, also where ticks are late and pass it by. */
export class TimeSpoken {
  #before: number | undefined;

  /** @param rest seconds that are left; more than before: it ends later now, and the marks count anew */
  isDue(rest: number): boolean {
    // what is opened late is not said to be late at once: it stands on the page
    const before = this.#before ?? rest + 1;
    this.#before = rest;
    return rest > 0 && SPOKEN_SECONDS.some((mark) => before > mark && rest <= mark);
  }
}
