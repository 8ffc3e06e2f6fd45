import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  CONSENT_NAMESPACE,
  fromBase64url,
  makeSshsig,
  writeArmor,
  writeOpensshPrivateKey,
} from "@countersign/core";
import type { OkpJwk } from "@countersign/core";
import {
  generatePrivateKey,
  nodeCrypto,
  nodeRandom,
  publicJwkOf,
  signerOf,
} from "@countersign/node";

/** The root of the checkout. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = join(ROOT, "packages/cli/dist/main.js");
/** An agent that posts to its door what it reads, line by line, and prints the answers. */
export const COURIER: string = join(ROOT, "scripts/demo/courier.mjs");

const DEADLINE_MS = 20_000;
const STOP_MS = 12_000;

/** Asks again until there is an answer other than undefined; fails at the deadline. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`no ${what} within ${deadlineMs} ms`);
    await pause(25);
  }
}

/** Longest path of a temporary folder in which the demo still makes its own: sockets lie deep below it. */
const MAX_BASE_LENGTH = 36;

/** A folder that the demo takes as its temporary one, wherever the tests have theirs. */
export function demoBase(): string {
  const name = "cs-XXXXXX";
  const base = tmpdir().length + name.length < MAX_BASE_LENGTH ? tmpdir() : "/tmp";
  return mkdtempSync(join(base, "cs-"));
}

export interface End {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A process of ours, leader of its own group, with its lines. */
export class Running {
  readonly out: string[] = [];
  readonly err: string[] = [];
  /** Standard output as it came, with the prompts that no line ends. */
  text = "";
  readonly ended: Promise<End>;
  end: End | undefined;
  readonly #child: ReturnType<typeof spawn>;

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(file, [...args], { env, stdio: ["pipe", "pipe", "pipe"], detached: true });
    const { stdin, stdout, stderr } = this.#child;
    stdin?.on("error", () => undefined); // it may have ended
    stdout?.on("data", (piece: Buffer) => (this.text += piece.toString("latin1")));
    for (const [stream, lines] of [
      [stdout, this.out],
      [stderr, this.err],
    ] as const)
      if (stream !== null)
        createInterface({ input: stream }).on("line", (line) => lines.push(line));
    this.ended = new Promise((resolve) => {
      this.#child.on("error", () => resolve({ code: 127, signal: null }));
      this.#child.on("close", (code, signal) => resolve({ code, signal }));
    }).then((end) => (this.end = end as End)); // the two calls above
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  write(line: string): void {
    this.type(`${line}\n`);
  }

  /** Characters as they are typed, with no line's end. */
  type(characters: string): void {
    this.#child.stdin?.write(characters);
  }

  /** What `find` makes of the lines, now or later; fails when the process ends first. */
  when<T>(
    what: string,
    find: (running: this) => T | undefined,
    deadlineMs = DEADLINE_MS,
  ): Promise<T> {
    const look = (): T | undefined => {
      const { end } = this; // read before the lines: they are complete when it is there
      const found = find(this);
      if (found === undefined && end !== undefined)
        throw new Error(
          `ended (${end.code}) before ${what}: ${[...this.out, ...this.err].join("\n")}`,
        );
      return found;
    };
    return until(what, look, deadlineMs);
  }

  /** To itself only, as a terminal's user or a supervisor does it. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  async stop(): Promise<End> {
    if (this.end !== undefined) return this.end;
    this.signal("SIGTERM");
    const late = AbortSignal.timeout(STOP_MS);
    late.addEventListener("abort", () => this.killGroup());
    return this.ended;
  }

  /** The group that it leads, at once. */
  killGroup(): void {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // nobody of it is left
    }
  }
}

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface OwnerKeyFile {
  readonly path: string;
  /** The armour that `ssh-keygen -Y sign` would write. */
  readonly sign: (octets: Uint8Array) => Promise<string>;
}

/** One data directory with everything that runs on it. */
export class Home {
  readonly folder: string;
  readonly data: string;
  readonly #running: Running[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.data = join(folder, "data");
  }

  static async create(): Promise<Home> {
    if (!existsSync(MAIN)) throw new Error("not built: npm run build");
    return new Home(await mkdtemp(join(tmpdir(), "countersign-e2e-")));
  }

  /** Nothing of the environment of whoever runs the tests. */
  env(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { PATH: process.env["PATH"], HOME: this.folder, NO_COLOR: "1", ...more };
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** Arguments of node for the command line on this data. */
  arguments(args: readonly string[]): readonly string[] {
    return [MAIN, "--data", this.data, ...args];
  }

  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    return this.spawn(process.execPath, this.arguments(args), env);
  }

  spawn(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const running = new Running(file, args, this.env(env));
    this.#running.push(running);
    return running;
  }

  /** A command at a terminal of its own: `script` of util-linux makes one, 24 lines of 80 columns. */
  atTerminal(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const quoted = [process.execPath, ...this.arguments(args)].map((word) => `'${word}'`);
    const line = `stty rows 24 cols 80; exec ${quoted.join(" ")}`;
    return this.spawn("script", ["-qefc", line, "/dev/null"], { SHELL: "/bin/sh", ...env });
  }

  /** A command, run to its end. */
  async cli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
    const running = this.start(args, env);
    const { code } = await until("end", () => running.end);
    return { code, out: running.out.join("\n"), err: running.err.join("\n") };
  }

  /** A command that must succeed, with its document. */
  async json(args: readonly string[]): Promise<Record<string, unknown>> {
    const { code, out, err } = await this.cli([...args, "--json"]);
    if (code !== 0) throw new Error(`countersign ${args.join(" ")}: ${err}`);
    return JSON.parse(out) as Record<string, unknown>;
  }

  /** Starts `countersign dev` and waits until it serves. */
  async dev(
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ running: Running; ready: Readonly<Record<string, string>> }> {
    const running = this.start(["dev", "--json"], env);
    const first = await running.when("ready line", ({ out }) => out[0]);
    return { running, ready: (JSON.parse(first) as { ready: Record<string, string> }).ready };
  }

  /** An agent that obeys, behind a door of its own. */
  courier(name: string): Running {
    return this.start(["run", "--agent", name, "--", process.execPath, COURIER]);
  }

  /** A local API, asked as the command line asks it. */
  async local(socket: string, path: string, json?: object): Promise<Record<string, unknown>> {
    const socketPath = join(this.data, "run", socket);
    const text = await new Promise<string>((resolve, reject) => {
      const body = json === undefined ? undefined : JSON.stringify(json);
      const type = body === undefined ? {} : { "content-type": "application/json" };
      const method = body === undefined ? "GET" : "POST";
      const options = { socketPath, path, method, headers: { host: "localhost", ...type } };
      const sent = request(options, (answer) => {
        let heard = "";
        answer.setEncoding("utf8").on("data", (piece: string) => (heard += piece));
        answer.on("end", () => resolve(heard));
      });
      sent.on("error", reject).end(body);
    });
    return JSON.parse(text) as Record<string, unknown>;
  }

  /** Makes a key file as `ssh-keygen` does, and enrols it. */
  async owner(name: string): Promise<OwnerKeyFile> {
    const key = await this.keyFile(name);
    await this.json(["owner", "enrol", name, "--key", key.path]);
    return key;
  }

  /** A key file as `ssh-keygen` makes it. */
  async keyFile(name: string): Promise<OwnerKeyFile> {
    const secret = generatePrivateKey("Ed25519");
    const jwk = publicJwkOf(secret) as OkpJwk; // it was made as Ed25519
    const seed = fromBase64url(secret.export({ format: "jwk" }).d ?? "");
    const path = this.file(`${name}_key`);
    await writeFile(path, writeOpensshPrivateKey(nodeRandom, { jwk, seed, comment: name }), {
      mode: 0o600,
    });
    const signer = signerOf(secret);
    return {
      path,
      sign: async (octets) =>
        writeArmor(await makeSshsig(nodeCrypto, signer, CONSENT_NAMESPACE, octets)),
    };
  }

  /** Registers the obedient agent. */
  async register(name: string, ...more: readonly string[]): Promise<void> {
    const program = ["--program", process.execPath, "--script", COURIER];
    const audience = ["--audience", "http://localhost:4000/"];
    await this.json(["agent", "register", name, ...program, ...audience, ...more]);
  }

  /** The one request that waits, once there is one. */
  async waiting(): Promise<{ readonly id: string; readonly reasons: readonly { code: string }[] }> {
    return until("request", async () => {
      const { requests } = await this.local("server.sock", "/v1/owner/requests");
      return (requests as { id: string; reasons: { code: string }[] }[])[0];
    });
  }

  /** Approves by the path for signing elsewhere. */
  async approve(id: string, key: OwnerKeyFile): Promise<void> {
    const file = this.file(`statement-${id}.json`);
    const base = ["owner", "approve", id, "--key", key.path];
    const shown = await this.cli([...base, "--print", "--statement", file]);
    if (shown.code !== 0) throw new Error(shown.err);
    await writeFile(`${file}.sig`, await key.sign(await readFile(file)));
    await this.json([...base, "--signature", `${file}.sig`]);
  }

  /** Ends everything that was started here, the last first, and removes the folder. */
  async close(): Promise<void> {
    for (const running of this.#running.toReversed()) {
      await running.stop();
      running.killGroup();
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** How long the answer of a door may take: what it was asked to wait, and then as long as anything. */
export function answerMs(path: string): number {
  const [, waitSeconds = "0"] = /[?&]wait=(\d+)/.exec(path) ?? [];
  return Number(waitSeconds) * 1000 + DEADLINE_MS;
}

/** Posts to the courier's door and waits for the answer. */
export async function tell(
  courier: Running,
  path: string,
  body: object = {},
): Promise<Record<string, unknown>> {
  const { length } = courier.out;
  courier.write(JSON.stringify({ path, body }));
  const line = await courier.when(`answer to ${path}`, ({ out }) => out[length], answerMs(path));
  return JSON.parse(line) as Record<string, unknown>;
}

/** The code that an agent's terminal shows while its owner is asked. */
export function codeShown({ err }: Running): string | undefined {
  return err
    .map((line) => /waiting for the owner, code ([0-9A-Z]{5}-[0-9A-Z]{5})/.exec(line)?.[1])
    .find((code) => code !== undefined);
}

/** Live processes in whose command line this word stands. */
function processesWith(word: string): readonly { pid: number; line: string }[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^[0-9]+$/.test(pid)) return [];
    try {
      const line = readFileSync(join("/proc", pid, "cmdline"), "utf8").replaceAll("\0", " ");
      return line.includes(word) ? [{ pid: Number(pid), line }] : [];
    } catch {
      return []; // it ended, or is another user's
    }
  });
}

/** Command lines of live processes in which this word stands. */
export function processesNaming(word: string): readonly string[] {
  return processesWith(word).map(({ line }) => line);
}

/** Lets them hang: they hear of nothing but SIGKILL, so that ending them takes as long as it may. */
export function hangAllNaming(word: string): void {
  const all = processesWith(word);
  if (all.length === 0) throw new Error(`no process names ${word}`);
  for (const { pid } of all) process.kill(pid, "SIGSTOP");
}

/** Whether a program is there; a missing one is said in one line, and where CI is set it is a failure. */
export function has(file: string, ...probe: readonly string[]): boolean {
  const { error } = spawnSync(file, [...probe], { timeout: DEADLINE_MS, input: "" });
  if (error === undefined) return true;
  const line = `${file} is missing: its tests are skipped`;
  if (process.env["CI"] !== undefined) throw new Error(line);
  process.stderr.write(`${line}\n`);
  return false;
}
