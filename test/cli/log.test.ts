import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Sandbox } from "./countersign.ts";
import type { Outcome } from "./countersign.ts";

const box = new Sandbox();
const data = box.path("d");
const running: ChildProcess[] = [];
/** Asking again is bounded by this, not by time. */
const MOST_LOOKS = 60;

const cli = (line: string, folder = data): Promise<Outcome> =>
  box.run([...line.split(" "), "--data", folder]);

/** Resolves with the first match in what a daemon says. */
function said(child: ChildProcess, words: RegExp): Promise<RegExpExecArray> {
  let log = "";
  return new Promise((resolve, reject) => {
    child.on("exit", () => reject(new Error(log)));
    const hear = (chunk: Buffer): void => {
      log += chunk.toString();
      const found = words.exec(log);
      if (found !== null) resolve(found);
    };
    child.stderr?.on("data", hear);
    child.stdout?.on("data", hear);
  });
}

function daemon(line: string, folder = data): ChildProcess {
  const child = box.start([...line.split(" "), "--data", folder]);
  running.push(child);
  return child;
}

async function runServer(): Promise<{ server: ChildProcess; url: string }> {
  const server = daemon("server run");
  const [, port = ""] = await said(server, /"public":"http:\/\/127\.0\.0\.1:([0-9]+)"/);
  return { server, url: `http://127.0.0.1:${port}/log` };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  child.kill(signal);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** A web server that knows nothing of logs: it gives out the files of a folder. */
async function serve(folder: string): Promise<{ readonly url: string; close(): void }> {
  const web = createServer(({ url: path = "" }, response) => {
    const file = createReadStream(join(folder, path));
    file.on("error", () => response.writeHead(404).end());
    file.pipe(response);
  });
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  const { port } = web.address() as AddressInfo; // it listens on TCP
  return { url: `http://127.0.0.1:${port}`, close: () => web.close() };
}

interface Status {
  readonly checkpoint: string;
  readonly keys: { readonly log: string };
}
const status = async (): Promise<Status> =>
  JSON.parse((await cli("server status --json")).stdout) as Status; // our own command's document

let server: ChildProcess;
let url = "";
let vkey = "";
let witnessKey = "";
let witness: ChildProcess;
const witnessFolder = box.path("w");

beforeAll(async () => {
  await cli("server init --trust-domain example.org --api-port 0 --public-port 0");
  ({ server } = await runServer());
  vkey = (await status()).keys.log;
  await stop(server);
  const made = await cli("log witness init --name witness.example/w1 --json", witnessFolder);
  witnessKey = (JSON.parse(made.stdout) as { vkey: string }).vkey; // as above
  witness = daemon(`log witness run --listen 127.0.0.1:0 --log ${vkey}`, witnessFolder);
  const [, address = ""] = await said(witness, /"address":"(http:\/\/127\.0\.0\.1:[0-9]+)"/);
  appendFileSync(`${data}/server/server.yaml`, `witnesses: ["${witnessKey}@${address}"]\n`);
  ({ server, url } = await runServer());
});
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  box.remove();
});

describe("a log with a witness and a monitor", () => {
  it("keeps the witness's key and memory to itself", () => {
    const folder = `${witnessFolder}/witness`;
    for (const name of ["witness.pem", "witness.yaml", "witness.sock"])
      expect((statSync(`${folder}/${name}`).mode & 0o777).toString(8)).toBe("600");
  });

  it("publishes checkpoints that the witness has cosigned", async () => {
    await cli("server join-token --proxy one");
    let isCosigned = false;
    for (let look = 0; look < MOST_LOOKS && !isCosigned; look += 1)
      isCosigned = (await status()).checkpoint.includes("\n— witness.example/w1 ");
    expect(isCosigned).toBe(true);
    expect(readdirSync(`${witnessFolder}/witness/logs`)).toHaveLength(1);
  });

  it("lets one witness run on a folder", async () => {
    const second = await cli(`log witness run --listen 127.0.0.1:0 --log ${vkey}`, witnessFolder);
    expect(second).toMatchObject({ code: 1, stdout: "" });
    expect(second.stderr).toContain("[configuration_invalid]");
  });

  it("is followed over plain HTTP, through its tiles", async () => {
    const line = `log monitor ${url} --vkey ${vkey} --state ${box.path("seen")} --once`;
    expect(await cli(line)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("first time") as string,
    });
    await cli("server join-token --proxy two");
    expect(await cli(line)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("only appended") as string,
    });
    expect(await cli(line)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("unchanged") as string,
    });
    expect((statSync(box.path("seen")).mode & 0o777).toString(8)).toBe("600");
  });

  it("raises the alarm for a log under another key, with exit code 3", async () => {
    const folder = box.path("other");
    await cli("server init --trust-domain example.org --api-port 0 --public-port 0", folder);
    const other = daemon("server run", folder);
    const [, port = ""] = await said(other, /"public":"http:\/\/127\.0\.0\.1:([0-9]+)"/);
    const line = `log monitor http://127.0.0.1:${port}/log --vkey ${vkey} --once`;
    const { code, stdout } = await cli(`${line} --state ${box.path("other-seen")}`);
    expect({ code, stdout }).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/another key/),
    });
    await stop(other);
  });

  it("is not followed under a key that is no log's", async () => {
    const { code, stderr } = await cli(`log monitor ${url} --vkey ${witnessKey} --once`);
    expect({ code, stderr }).toMatchObject({ code: 1 });
    expect(stderr).toContain("[checkpoint_invalid]");
  });

  it("is served by any web server from its files alone", async () => {
    const folder = box.path("static");
    expect((await cli(`log export ${folder}`)).code).toBe(0);
    const web = await serve(folder);
    const line = `log monitor ${web.url} --vkey ${vkey} --state ${box.path("static-seen")}`;
    const done = await cli(`${line} --once --json`);
    expect(done.code).toBe(0);
    const { size } = JSON.parse(done.stdout) as { size: number }; // as above
    expect(readFileSync(`${folder}/checkpoint`, "utf8").split("\n")[1]).toBe(String(size));
    web.close();
  });

  it("cries when an older state is served, and keeps both checkpoints", async () => {
    const folder = box.path("static");
    const web = await serve(folder);
    await cli("server join-token --proxy three");
    const state = box.path("newest");
    await cli(`log monitor ${url} --vkey ${vkey} --state ${state} --once`);
    const line = `log monitor ${web.url} --vkey ${vkey} --state ${state} --once`;
    const { code, stdout } = await cli(line);
    expect(code).toBe(3);
    expect(stdout).toMatch(/ALARM, shrinkage/);
    const kept = [...stdout.matchAll(/kept {4}(\S+)/g)].map(([, path = ""]) =>
      readFileSync(path, "utf8"),
    );
    const sizes = kept.map((text) => Number(text.split("\n")[1]));
    expect(sizes[0]).toBeGreaterThan(sizes[1] ?? Number.NaN);
    web.close();
  });

  it("remembers what the witness has cosigned when it was killed", async () => {
    const { checkpoint } = await status();
    await stop(witness, "SIGKILL");
    witness = daemon(`log witness run --listen 127.0.0.1:0 --log ${vkey}`, witnessFolder);
    const [, address = ""] = await said(witness, /"address":"(http:\/\/127\.0\.0\.1:[0-9]+)"/);
    const body = `old 0\n\n${checkpoint}`;
    const answer = await fetch(`${address}/add-checkpoint`, { method: "POST", body });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([409, "text/x.tlog.size"]);
    expect(Number(await answer.text())).toBeGreaterThan(0);
  });
});
