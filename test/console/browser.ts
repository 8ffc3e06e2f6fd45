import { createHash } from "node:crypto";
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
} from "node:fs";
import { createWriteStream, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chromium } from "playwright-core";
import type { Browser, BrowserContext, CDPSession, Page } from "playwright-core";

/** Where the package's binaries lie: `CHROME=` names another browser. */
const PACKED = join(
  dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")),
  "../../bin",
);

/** Where what is unpacked stays for the next run: in the user's own cache, named by its content. */
function folderOf(): string {
  const hash = createHash("sha256")
    .update(readFileSync(join(PACKED, "chromium.br")))
    .digest("hex");
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "countersign", `chromium-${hash.slice(0, 16)}`);
}

async function unpack(from: string, to: string): Promise<void> {
  const part = `${to}.${process.pid}`;
  await pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(part));
  renameSync(part, to);
}

async function extract(tar: string, folder: string): Promise<void> {
  const child = spawn("tar", ["-xf", tar, "-C", folder], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`tar ended with ${code}`);
}

async function executable(): Promise<{ path: string; libraries?: string }> {
  const { CHROME } = process.env;
  if (CHROME !== undefined) return { path: CHROME };
  const folder = folderOf();
  const path = join(folder, "chromium");
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const tar = join(folder, "libraries.tar");
    await unpack(join(PACKED, "al2023.tar.br"), tar);
    await extract(tar, folder);
    rmSync(tar);
    await unpack(join(PACKED, "chromium.br"), join(folder, "chromium.unready"));
    chmodSync(join(folder, "chromium.unready"), 0o755);
    renameSync(join(folder, "chromium.unready"), path);
  }
  return { path, libraries: join(folder, "lib") };
}

/** A real Chromium. No switch takes a protection of the web away; only the sandbox of its own processes needs root. */
export async function openBrowser(): Promise<Browser> {
  const { path, libraries } = await executable();
  // what it leaves behind, it leaves here
  const home = mkdtempSync(join(tmpdir(), "countersign-browser-"));
  const browser = await chromium.launch({
    executablePath: path,
    chromiumSandbox: false,
    args: ["--disable-gpu", "--disable-quic"],
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      TMPDIR: home,
      ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }),
    },
  });
  browser.once("disconnected", () => rmSync(home, { recursive: true, force: true }));
  return browser;
}

const TIMEOUT_MS = 15_000;

/** How a virtual authenticator is made; default a device-bound one that knows its user. */
export interface AuthenticatorOptions {
  readonly isSynced?: boolean;
  /** What it holds from the start. */
  readonly passkeys?: readonly StoredPasskey[];
}

/** A passkey with its secret, and how often it has signed: what only a virtual authenticator gives away. */
export type StoredPasskey = Awaited<ReturnType<typeof stored>>[number];

async function stored(cdp: CDPSession, authenticatorId: string) {
  return (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
}

/** A page with an authenticator of its own. */
export class Desk {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly #cdp: CDPSession;
  readonly #authenticator: string;
  /** What the page logged as an error, and what it threw. */
  readonly complaints: string[] = [];

  private constructor(context: BrowserContext, page: Page, cdp: CDPSession, authenticator: string) {
    this.context = context;
    this.page = page;
    this.#cdp = cdp;
    this.#authenticator = authenticator;
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(error.message));
  }

  static async open(
    browser: Browser,
    options: Parameters<Browser["newContext"]>[0] & AuthenticatorOptions = {},
  ): Promise<Desk> {
    const { isSynced = false, passkeys = [], ...rest } = options;
    const context = await browser.newContext(rest);
    context.setDefaultTimeout(TIMEOUT_MS);
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    await cdp.send("WebAuthn.enable");
    const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        ctap2Version: "ctap2_1",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
        defaultBackupEligibility: isSynced,
        defaultBackupState: isSynced,
      },
    });
    for (const credential of passkeys)
      await cdp.send("WebAuthn.addCredential", { authenticatorId, credential });
    return new Desk(context, page, cdp, authenticatorId);
  }

  #second = "";

  async #answers(authenticatorId: string, enabled: boolean): Promise<void> {
    await this.#cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled });
  }

  /** Plugs a security key in, which alone is touched from now on. */
  async secondAuthenticator(): Promise<void> {
    await this.#answers(this.#authenticator, false);
    const { authenticatorId } = await this.#cdp.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        ctap2Version: "ctap2_1",
        transport: "usb",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    this.#second = authenticatorId;
  }

  /** The first one alone is touched from now on. */
  async onlyFirst(): Promise<void> {
    await this.#answers(this.#second, false);
    await this.#answers(this.#authenticator, true);
  }

  /** The first one is gone. */
  async onlySecond(): Promise<void> {
    await this.#cdp.send("WebAuthn.removeVirtualAuthenticator", {
      authenticatorId: this.#authenticator,
    });
    await this.#answers(this.#second, true);
  }

  /** The authenticator knows its user, or does not any more. */
  async setUserVerified(isUserVerified: boolean): Promise<void> {
    await this.#cdp.send("WebAuthn.setUserVerified", {
      authenticatorId: this.#authenticator,
      isUserVerified,
    });
  }

  passkeys(): Promise<readonly StoredPasskey[]> {
    return stored(this.#cdp, this.#authenticator);
  }

  /** Goes on from these counters: the same security key was used elsewhere. */
  async countOn(from: readonly StoredPasskey[]): Promise<void> {
    const authenticatorId = this.#authenticator;
    for (const credential of await this.passkeys()) {
      const { credentialId } = credential;
      const used = from.find((one) => one.credentialId === credentialId);
      if (used === undefined || used.signCount <= credential.signCount) continue;
      await this.#cdp.send("WebAuthn.removeCredential", { authenticatorId, credentialId });
      const further = { ...credential, signCount: used.signCount };
      await this.#cdp.send("WebAuthn.addCredential", { authenticatorId, credential: further });
    }
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
