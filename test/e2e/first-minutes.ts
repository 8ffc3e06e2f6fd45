import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../packages/node/src/index.ts";
import { Home, ROOT } from "./countersign.ts";
import type { Running } from "./countersign.ts";

const LINKED = join(ROOT, "node_modules/.bin/countersign");
/** The service of the examples; machines are shared, so each story has a port of its own. */
const SERVICE = "http://localhost:4000/";

/** `countersign dev` in an empty folder, and a second terminal there into which its lines are typed as they stand. */
export class FirstMinutes {
  readonly home: Home;
  readonly dev: Running;
  readonly service: string;
  readonly #folder: string;

  private constructor(home: Home, folder: string, service: string) {
    this.home = home;
    this.#folder = folder;
    this.service = service;
    this.dev = this.#typed(`exec '${LINKED}' --data '${home.data}' dev`);
  }

  static async begin(): Promise<FirstMinutes> {
    const home = await Home.create();
    const folder = home.file("empty folder");
    mkdirSync(folder);
    return new FirstMinutes(home, folder, `http://localhost:${await freePort()}/`);
  }

  #typed(line: string): Running {
    return this.home.spawn("sh", ["-c", `cd '${this.#folder}' && ${line}`]);
  }

  /** What `countersign dev` says: the first group of the first match, now or later. */
  told(what: RegExp): Promise<string> {
    return this.dev.when(String(what), ({ out, err }) =>
      what.exec([...out, ...err].join("\n"))?.[1]?.trimEnd(),
    );
  }

  async #line(what: RegExp, more: readonly string[]): Promise<string> {
    const line = (await this.told(what)).replace(SERVICE, this.service).replace(/ &$/, "");
    return `exec ${[line, ...more].join(" ")}`;
  }

  /** Types a line of it, and more words behind. */
  async type(what: RegExp, ...more: readonly string[]): Promise<Running> {
    return this.#typed(await this.#line(what, more));
  }

  /** The same with a person in front: it is a terminal. */
  async typeAtTerminal(what: RegExp, ...more: readonly string[]): Promise<Running> {
    const line = `stty rows 24 cols 80; cd '${this.#folder}' && ${await this.#line(what, more)}`;
    return this.home.spawn("script", ["-qefc", line, "/dev/null"], { SHELL: "/bin/sh" });
  }

  /** The service of the examples, once it listens. */
  async serve(): Promise<Running> {
    const running = await this.type(
      /(node .*relying-party\.mjs.* &)$/m,
      new URL(this.service).port,
    );
    await running.when("service", ({ out }) => out[0]);
    return running;
  }

  close(): Promise<void> {
    return this.home.close();
  }
}

/** The lines of `countersign dev`, by what they do. */
export const LINES = {
  enrol: /^ +(\S.*owner enrol me .+)$/m,
  register: / 2 {2}first agent {3}(.+)$/m,
  announce: /^ +(\S.*owner expect .+)$/m,
  run: /^ +(\S.*run --agent .+)$/m,
  stop: / 3 {2}stop it all {3}(.+)$/m,
} as const;
