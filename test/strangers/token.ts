import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** SoftHSM's module, where distributions put it. */
const MODULES = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib64/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
];
/** What tokens of tests are opened with; they hold nothing. */
export const PIN = "847362";
const SO_PIN = "12345678";

/** SoftHSM with tokens of its own, in a folder that the test removes. */
export class SoftHsm {
  readonly module: string;
  /** Of every program that is to see these tokens. */
  readonly env: { readonly SOFTHSM2_CONF: string };

  constructor(folder: string) {
    this.module = MODULES.find((path) => existsSync(path)) ?? "softhsm is not installed";
    const tokens = join(folder, "tokens");
    mkdirSync(tokens, { recursive: true, mode: 0o700 });
    const conf = join(folder, "softhsm2.conf");
    writeFileSync(
      conf,
      `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    );
    this.env = { SOFTHSM2_CONF: conf };
  }

  run(file: string, args: readonly string[]): string {
    const env = { ...process.env, ...this.env, LC_ALL: "C" };
    const answer = spawnSync(file, [...args], { env, encoding: "utf8", input: "" });
    if (answer.status !== 0)
      throw new Error(`${file} ${args[0] ?? ""}: ${answer.stderr}${answer.stdout}`);
    return answer.stdout;
  }

  makeToken(label: string): void {
    const pins = ["--so-pin", SO_PIN, "--pin", PIN];
    this.run("softhsm2-util", ["--init-token", "--free", "--label", label, ...pins]);
  }

  removeToken(label: string): void {
    this.run("softhsm2-util", ["--delete-token", "--token", label]);
  }

  tool(token: string, ...args: readonly string[]): string {
    const opened = ["--module", this.module, "--token-label", token, "--login", "--pin", PIN];
    return this.run("pkcs11-tool", [...opened, ...args]);
  }

  /** @param type as `pkcs11-tool --keypairgen --key-type` takes it */
  makeKey(token: string, type: string, id: string, label: string): void {
    this.tool(token, "--keypairgen", "--key-type", type, "--id", id, "--label", label);
  }

  /** A URI of a key, with the module that it lies behind. */
  uri(path: string): string {
    return `pkcs11:${path}?module-path=${this.module}`;
  }
}
