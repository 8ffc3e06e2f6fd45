// The demo's world: a temporary folder, server and proxy of its own, the real command line.
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../run.mjs";
import { Processes, until } from "./processes.mjs";

const MAIN = join(ROOT, "packages/cli/dist/main.js");
const START_MS = 20_000;
const MAX_BASE_LENGTH = 36;

/** Of this terminal's environment only what programs need to start: no keys, no loader variables. */
function cleanEnvironment(home) {
  const { PATH, LANG, TMPDIR } = process.env;
  const env = { PATH, HOME: home, LANG, TMPDIR, NO_COLOR: "1" };
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}

export class World {
  #processes;

  constructor(folder) {
    this.folder = folder;
    this.data = join(folder, "data");
    this.work = join(folder, "work");
    const env = cleanEnvironment(folder);
    this.#processes = new Processes({ env, cwd: this.work });
  }

  static async create() {
    // paths of sockets are short: a temporary folder deep down does not do
    const base = tmpdir().length <= MAX_BASE_LENGTH ? tmpdir() : "/tmp";
    const world = new World(await mkdtemp(join(base, "countersign-demo-")));
    await mkdir(world.work);
    // what is copied here finds its packages as in a project of its own
    await symlink(join(ROOT, "node_modules"), join(world.work, "node_modules"));
    return world;
  }

  /** The command line against this world's data. */
  arguments(args) {
    return [MAIN, "--data", this.data, ...args];
  }

  async cli(...args) {
    return this.#processes.run(process.execPath, this.arguments(args));
  }

  /** A command that must succeed, with its JSON. */
  async json(...args) {
    const { code, out, err } = await this.cli(...args, "--json");
    if (code !== 0) throw new Error(`countersign ${args.join(" ")}: ${err}`);
    return JSON.parse(out);
  }

  start(...args) {
    return this.#processes.start(process.execPath, this.arguments(args));
  }

  node(args, env = {}) {
    return this.#processes.start(process.execPath, args, env);
  }

  /** `countersign run`: an agent behind a door of its own. */
  agent(name, ...command) {
    return this.start("run", "--agent", name, "--", process.execPath, ...command);
  }

  async startDev() {
    const dev = this.start("dev", "--json");
    this.dev = dev;
    this.ready = await dev.when(START_MS, "server and proxy", ({ out }) =>
      out.length === 0 ? undefined : JSON.parse(out[0].line).ready,
    );
    return this.ready;
  }

  /** A local API, asked as the command line asks it. */
  async local(socket, path) {
    const socketPath = join(this.data, "run", socket);
    const text = await new Promise((resolve, reject) => {
      const options = { socketPath, path, headers: { host: "localhost" } };
      const sent = request(options, async (answer) => {
        const pieces = await answer.toArray();
        resolve(Buffer.concat(pieces).toString());
      });
      sent.on("error", reject).end();
    });
    return JSON.parse(text);
  }

  /** What the proxy holds for one agent: its doors, with their programs and credentials. */
  async doors(name) {
    const { doors } = await this.local("proxy.sock", "/v1/status");
    return doors.filter((door) => door.entry.endsWith(`/agent/${name}`));
  }

  /** The request that waits for the owner, once there is one. */
  waitingRequest(name) {
    return until(15_000, `request of ${name}`, async () => {
      const { requests } = await this.local("server.sock", "/v1/owner/requests");
      return requests.find((one) => one.entry.endsWith(`/agent/${name}`));
    });
  }

  trustFile() {
    return this.ready.relying_party;
  }

  /** The relying party's trust, once the owner's key is pinned in it. */
  pinnedTrust() {
    return until(10_000, "pinned owner in the trust file", async () => {
      const [domain] = JSON.parse(await readFile(this.trustFile(), "utf8")).domains;
      return domain.owner_pins.length > 0 ? domain : undefined;
    });
  }

  async stop() {
    await this.#processes.stop();
  }

  /** Ends and removes all of it without waiting. */
  endAtOnce() {
    this.#processes.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async remove() {
    await rm(this.folder, { recursive: true, force: true });
  }
}
