// Real processes with a clean environment: started, listened to line by line, ended by their own id.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const STOP_MS = 8000;

/** Resolves as `promise` does, or fails at the deadline with what was waited for. */
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again until there is an answer other than undefined, at most until the deadline. */
export async function until(ms, what, ask) {
  const deadline = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`no ${what} within ${ms / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A process of ours, leader of its own group: Ctrl-C reaches it through us only, in the right order. */
export class Started {
  #child;
  #waiting = new Set();
  out = [];
  err = [];
  exit;

  constructor(file, args, { env, cwd }) {
    const stdio = ["pipe", "pipe", "pipe"];
    this.#child = spawn(file, args, { env, cwd, stdio, detached: true });
    this.#child.stdin.on("error", () => undefined); // it may have ended
    this.#listen(this.#child.stdout, this.out);
    this.#listen(this.#child.stderr, this.err);
    this.exit = new Promise((resolve) => {
      this.#child.on("error", (error) => resolve({ code: 127, error }));
      this.#child.on("close", (code, signal) => resolve({ code, signal }));
    });
    void this.exit.then((end) => {
      this.end = end;
      this.#wake();
    });
  }

  get pid() {
    return this.#child.pid;
  }

  #listen(stream, lines) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push({ line, at: performance.now() });
      this.#wake();
    });
  }

  #wake() {
    for (const wake of [...this.#waiting]) wake();
  }

  write(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  /** What `find` makes of the lines so far or to come; fails when the process ends first, or at the deadline. */
  async when(ms, what, find) {
    let wake;
    const found = new Promise((resolve, reject) => {
      wake = () => {
        const answer = find(this);
        if (answer !== undefined) resolve(answer);
        else if (this.end !== undefined)
          reject(new Error(`it ended (${this.end.code}) before ${what}: ${this.said()}`));
      };
    });
    this.#waiting.add(wake);
    wake();
    try {
      return await within(ms, what, found);
    } finally {
      this.#waiting.delete(wake);
    }
  }

  /** Everything on standard output and error, for a failure's message. */
  said() {
    return [...this.out, ...this.err].map(({ line }) => line).join("\n");
  }

  kill(signal) {
    try {
      process.kill(-this.pid, signal); // the group it leads: itself and what it started
    } catch {
      // it is gone
    }
  }

  /** Asks it to end; what does not within the time is killed. */
  async stop() {
    if (this.end !== undefined) return;
    try {
      process.kill(this.pid, "SIGTERM");
    } catch {
      // it is gone
    }
    await within(STOP_MS, "end", this.exit).catch(() => undefined);
    this.kill("SIGKILL");
    await this.exit;
  }
}

/** All processes of one demo. */
export class Processes {
  #started = [];
  #env;
  #cwd;
  #isStopping = false;

  constructor({ env, cwd }) {
    this.#env = env;
    this.#cwd = cwd;
  }

  start(file, args, env = {}) {
    if (this.#isStopping) throw new Error("everything is being ended");
    const started = new Started(file, args, { env: { ...this.#env, ...env }, cwd: this.#cwd });
    this.#started.push(started);
    return started;
  }

  /** Runs to the end. */
  async run(file, args, env = {}) {
    const started = this.start(file, args, env);
    const { code } = await within(30_000, `end of ${args.join(" ")}`, started.exit);
    const text = (lines) => lines.map(({ line }) => line).join("\n");
    return { code, out: text(started.out), err: text(started.err), outAt: started.out[0]?.at };
  }

  /** At once, with all that they started. */
  kill() {
    for (const one of this.#started) if (one.end === undefined) one.kill("SIGKILL");
  }

  /** Ends everything, the last started first. */
  async stop() {
    this.#isStopping = true;
    for (const one of this.#started.toReversed()) await one.stop();
  }
}
