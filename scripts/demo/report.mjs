// What the demo tells: numbered steps, one line for every expectation, and a count at the end.

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** Colours only where a terminal shows them. */
function painter(stream, noColor) {
  const isColoured = stream.isTTY === true && (noColor ?? "") === "";
  return (style, text) => (isColoured ? `\u001B[${CODES[style]}m${text}\u001B[0m` : text);
}

/** Longest line of words, where the terminal is as wide. */
const MAX_WIDTH = 92;
const INDENT = 4;

/** Words, wrapped for a terminal and indented. */
function wrapped(text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line.length > 0 && line.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}

export class Report {
  #stream;
  #paint;
  #steps = 0;
  #held = 0;
  #failed = [];
  #waiting;
  #width;

  constructor(stream, noColor) {
    this.#stream = stream;
    this.#width = Math.min(MAX_WIDTH, (stream.columns || MAX_WIDTH) - INDENT);
    this.#paint = painter(stream, noColor);
  }

  get failed() {
    return this.#failed.length;
  }

  /** Nothing more is told: somebody has stopped it. */
  mute() {
    this.waited();
    this.#stream = { write: () => undefined };
  }

  line(text = "") {
    this.#stream.write(`${text}\n`);
  }

  title(text) {
    this.line(this.#paint("bold", text));
  }

  /** A step of the story, and why it matters. */
  step(title, why) {
    this.#steps += 1;
    this.line();
    this.line(this.#paint("bold", `${String(this.#steps).padStart(2)}  ${title}`));
    for (const line of wrapped(why, this.#width)) this.line(this.#paint("dim", `    ${line}`));
  }

  /** What was typed. */
  command(text) {
    this.line(this.#paint("cyan", `    $ ${text}`));
  }

  note(text) {
    for (const line of wrapped(text, this.#width)) this.line(`    ${line}`);
  }

  /** One expectation; a failed one shows what came instead. */
  check(isHeld, what, instead) {
    if (isHeld) {
      this.#held += 1;
      this.line(`  ${this.#paint("green", "✓")} ${what}`);
      return;
    }
    this.#failed.push(what);
    this.line(`  ${this.#paint("red", "✗")} ${what}`);
    if (instead !== undefined)
      this.line(this.#paint("red", `    instead: ${JSON.stringify(instead)}`));
  }

  /** The expectation that something is refused, for this very reason. */
  refused(what, wanted, got, why) {
    this.check(got === wanted, `${what}: refused, ${this.#paint("yellow", wanted)}`, got);
    if (got === wanted && why !== undefined)
      for (const line of wrapped(why, this.#width)) this.line(this.#paint("dim", `    ${line}`));
  }

  /** What is waited for, and how long it still may: one line that is written over, or one a minute where it cannot be. */
  waiting(what, left) {
    const isDrawn = this.#stream.isTTY === true;
    if (isDrawn) {
      this.#waiting = what;
      this.#stream.write(
        `\r\u001B[K    ${this.#paint("dim", `waiting for ${what}, ${left} left`)}`,
      );
      return;
    }
    const said = left.endsWith("min") ? left : "";
    if (this.#waiting === said) return;
    this.#waiting = said;
    this.line(`    waiting for ${what}, ${left} left`);
  }

  /** It came, or did not. */
  waited() {
    if (this.#stream.isTTY === true && this.#waiting !== undefined)
      this.#stream.write("\r\u001B[K");
    this.#waiting = undefined;
  }

  summary(seconds) {
    this.line();
    const total = this.#held + this.#failed.length;
    const words = `${this.#held} of ${total} checks held, in ${seconds.toFixed(1)} s`;
    this.line(this.#paint(this.#failed.length === 0 ? "green" : "red", words));
  }
}
