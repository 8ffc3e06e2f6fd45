import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry, ProxyState } from "@countersign/core";
import { Refusal } from "@countersign/core";
import { generateSigner } from "@countersign/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Agents } from "../agents/agents.ts";
import type { RunDoors } from "../doors/run.ts";
import { factsOf, makeWorld, StandIn, StandInDoor, viewOf } from "../world.testing.ts";
import { Presigned } from "../presigned/presigned.ts";
import type { ProxyWorld } from "../world.ts";
import { adminApp } from "./admin.ts";
import { doorApp } from "./door.ts";
import { OpenRuns, runApp } from "./run.ts";

const NOW = 1_800_000_000;
const uid = process.getuid?.() ?? 0;
/** The agent's user never runs the tests: an entry of the proxy's own user is another rule. */
const AGENT_UID = uid === 1001 ? 1003 : 1001;
const OTHER_UID = AGENT_UID + 1;
const ENTRY: Entry = {
  id: "spiffe://example.org/agent/mailer",
  proxy: "spiffe://example.org/proxy/host-1",
  uid: AGENT_UID,
  door: "run",
  facts: [],
  pins: [],
  interpreterOptions: [],
  audiences: ["*"],
  binding: "none",
  grant: { use: "standing", maxTtlSeconds: 900, maxLive: 8, ceiling: [] },
  evidence: "public",
  offlineProofs: true,
  insecureSameUid: false,
  insecureSoftKeyStanding: false,
};
const OWNED: Entry = {
  ...ENTRY,
  binding: "owner",
  owner: "urn:agent-owner:example.org:alice-0001",
};
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "http-"));
});
afterAll(() => rm(folder, { recursive: true }));

function worldOf(entries: readonly Entry[] | "unheard" = [ENTRY]): ProxyWorld {
  const state: ProxyState = {
    issuer: "https://id.example.org",
    trustDomain: "example.org",
    now: NOW,
    seq: 1,
    checkpoint: "",
    entries: entries === "unheard" ? [] : entries,
    stops: [],
    asks: [],
    approvals: [],
    trustBundle: "{}",
    development: false,
  };
  const view = viewOf(state, NOW);
  return makeWorld({
    folder,
    identity: { id: ENTRY.proxy } as Parameters<typeof makeWorld>[0]["identity"], // nothing else is asked of it
    clock: () => NOW,
    timers: { after: () => () => undefined },
    random: (byteCount) => new Uint8Array(byteCount),
    uplink: () => {
      throw new Refusal("unreachable");
    },
    server: () => (entries === "unheard" ? { ...view, state: undefined } : view),
  });
}

async function wordOf(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  const body = (await response.json()) as { reason?: string };
  return response.headers.get("content-type") === "application/problem+json"
    ? (body.reason ?? "")
    : String(response.status);
}

function requestOf(what: string, body?: string, type = "application/json"): Request {
  const [method = "", path = ""] = what.split(" ");
  const init = body === undefined ? {} : { body, headers: { "content-type": type } };
  return new Request(`http://localhost${path}`, { method, ...init });
}

const atDoor = (
  what: string,
  body?: string,
  type?: string,
  peer = new StandIn(1, AGENT_UID),
  entries?: Parameters<typeof worldOf>[0],
): Promise<string> => {
  const w = worldOf(entries);
  return wordOf(
    doorApp(w, new Agents(w), new StandInDoor(ENTRY.id))(requestOf(what, body, type), { peer }),
  );
};
const bad = "malformed_request";
const PROOF = { aud: "https://a.example/" };

describe("the door", () => {
  it.each<readonly [string, string, string | undefined, string]>([
    ["status", "GET /v1/status", undefined, "200"],
    ["a credential, the server away", "POST /v1/credential", "{}", "unreachable"],
    ["a note too long", "POST /v1/credential", JSON.stringify({ note: "x".repeat(281) }), bad],
    ["T15: another's name", "POST /v1/credential", JSON.stringify({ agent: "other" }), bad],
    ["no JSON", "POST /v1/credential", "{", "malformed_json"],
    ["too much", "POST /v1/credential", JSON.stringify({ note: "x".repeat(33_000) }), "too_large"],
    ["a wait of 300 s", "POST /v1/credential?wait=300", "{}", "unreachable"],
    ["a wait of 301 s", "POST /v1/credential?wait=301", "{}", bad],
    ["a wait below nothing", "POST /v1/credential?wait=-1", "{}", bad],
    ["a wait that is no number", "POST /v1/credential?wait=1e2", "{}", bad],
    ["a proof of nothing", "POST /v1/proof", JSON.stringify(PROOF), "no_credential"],
    ["a proof for nobody", "POST /v1/proof", "{}", bad],
    [
      "a proof with an unknown member",
      "POST /v1/proof",
      JSON.stringify({ ...PROOF, sub: "x" }),
      bad,
    ],
    [
      "a header in upper case",
      "POST /v1/proof",
      JSON.stringify({ ...PROOF, headers: { "X-Id": "1" } }),
      bad,
    ],
    [
      "a header that is no text",
      "POST /v1/proof",
      JSON.stringify({ ...PROOF, headers: { "x-id": 1 } }),
      bad,
    ],
    [
      "too many headers",
      "POST /v1/proof",
      JSON.stringify({
        ...PROOF,
        headers: Object.fromEntries(Array.from({ length: 17 }, (_x, i) => [`x-${i}`, "1"])),
      }),
      bad,
    ],
    ["another method", "DELETE /v1/proof", undefined, "method_not_allowed"],
    ["another path", "GET /v1/keys", undefined, "not_found"],
  ])("%s → %#", async (_name, what, body, word) => {
    expect(await atDoor(what, body)).toBe(word);
  });

  it("refuses a form, which a page could send", async () => {
    expect(await atDoor("POST /v1/credential", "{}", "text/plain")).toBe("unsupported_media_type");
  });

  it.each(["GET /v1/status", "GET /v1/events", "POST /v1/credential", "POST /v1/proof"])(
    "T19: %s is for the entry's user alone",
    async (what) => {
      const body = what.startsWith("POST")
        ? JSON.stringify(what.endsWith("proof") ? PROOF : {})
        : undefined;
      expect(await atDoor(what, body, undefined, new StandIn(1, OTHER_UID))).toBe(
        "peer_unexpected",
      );
      expect(await atDoor(what, body, undefined, undefined, [])).toBe("entry_unknown");
      expect(await atDoor(what, body, undefined, undefined, "unheard")).toBe("unreachable");
    },
  );

  it("has room for eight programs", () => {
    const agents = new Agents(worldOf());
    const door = new StandInDoor(ENTRY.id);
    for (let script = 1; script <= 8; script += 1)
      agents.session(door, new StandIn(1, AGENT_UID), factsOf(script));
    expect(() => agents.session(door, new StandIn(1, AGENT_UID), factsOf(9))).toThrow(
      "rate_limited",
    );
    expect(agents.session(door, new StandIn(1, AGENT_UID), factsOf(8))).toBe(
      agents.existing(door, factsOf(8)),
    );
    agents.closeDoor(door);
    expect(agents.sessionsOf(door)).toEqual([]);
  });
});

/** Doors that open at once and lead nowhere. */
function doorsOf(): RunDoors {
  const open: RunDoors["open"] = ({ entry }) => {
    const door = new StandInDoor(entry.id);
    return Promise.resolve(
      Object.assign(door, { uid: AGENT_UID, closed: new Promise<never>(() => undefined) }),
    );
  };
  return { open } as RunDoors; // the one method that is called
}

describe("the run socket", () => {
  const run = (
    body: string,
    peer: StandIn,
    entries: readonly Entry[] = [ENTRY],
  ): Promise<string> => {
    const w = worldOf(entries);
    return wordOf(
      runApp(
        w,
        new Agents(w),
        doorsOf(),
        new OpenRuns(),
      )(requestOf("POST /v1/runs", body), { peer }),
    );
  };
  it.each([
    ["mailer", "200"],
    ["sorter", "unreachable"],
  ])("while the server is not heard, knows what it knew, and no more: %s", async (name, word) => {
    const w = worldOf([ENTRY]);
    const away = { ...w, server: () => ({ ...w.server(), isConnected: false }) };
    const app = runApp(away, new Agents(away), doorsOf(), new OpenRuns());
    const asked = requestOf("POST /v1/runs", JSON.stringify({ agent: name }));
    expect(await wordOf(app(asked, { peer: new StandIn(1, AGENT_UID) }))).toBe(word);
  });

  const agent = JSON.stringify({ agent: "mailer" });
  it.each<readonly [string, string, StandIn, readonly Entry[], string]>([
    ["by the entry's user", agent, new StandIn(1, AGENT_UID), [ENTRY], "200"],
    [
      "by its whole id",
      JSON.stringify({ agent: ENTRY.id }),
      new StandIn(1, AGENT_UID),
      [ENTRY],
      "200",
    ],
    ["by another user", agent, new StandIn(1, OTHER_UID), [ENTRY], "peer_unexpected"],
    [
      "for an entry of another host",
      JSON.stringify({ agent: "other" }),
      new StandIn(1, AGENT_UID),
      [ENTRY],
      "entry_unknown",
    ],
    [
      "for a fixed door",
      agent,
      new StandIn(1, AGENT_UID),
      [{ ...ENTRY, door: "fixed" }],
      "peer_unexpected",
    ],
    [
      "for the proxy's own user",
      agent,
      new StandIn(1, uid),
      [{ ...ENTRY, uid }],
      "posture_refused",
    ],
    [
      "for the proxy's own user, allowed",
      agent,
      new StandIn(1, uid),
      [{ ...ENTRY, uid, insecureSameUid: true }],
      "200",
    ],
    [
      "at a terminal",
      JSON.stringify({ agent: "mailer", terminal: true }),
      new StandIn(1, AGENT_UID),
      [ENTRY],
      "200",
    ],
    [
      "at a terminal that is none",
      JSON.stringify({ agent: "mailer", terminal: "/dev/tty" }),
      new StandIn(1, AGENT_UID),
      [ENTRY],
      bad,
    ],
    [
      "with something more",
      JSON.stringify({ agent: "mailer", uid: 0 }),
      new StandIn(1, AGENT_UID),
      [ENTRY],
      bad,
    ],
    [
      "with too much",
      JSON.stringify({ agent: "x".repeat(5000) }),
      new StandIn(1, AGENT_UID),
      [ENTRY],
      "too_large",
    ],
  ])("%s → %#", async (_name, body, peer, entries, word) => {
    expect(await run(body, peer, entries)).toBe(word);
  });

  it("tells of a run only the process that made it", async () => {
    const w = worldOf();
    const app = runApp(w, new Agents(w), doorsOf(), new OpenRuns());
    const made = await app(requestOf("POST /v1/runs", agent), { peer: new StandIn(7, AGENT_UID) });
    const { door } = (await made.json()) as { door: string };
    const events = (peer: StandIn): Promise<Response> =>
      app(requestOf(`GET /v1/runs/events?door=${door}`), { peer });
    expect(await wordOf(events(new StandIn(8, AGENT_UID)))).toBe("not_found");
    const response = await events(new StandIn(7, AGENT_UID));
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    await response.body?.cancel();
  });
});

describe("the proxy's admin socket", () => {
  it("says what is heard and held, and nothing of a key", async () => {
    const w = worldOf();
    const identity = { ...w.identity(), certificate: { notAfter: NOW } };
    const app = adminApp(
      { ...w, identity: () => identity as ReturnType<ProxyWorld["identity"]> },
      new Agents(w),
      new OpenRuns(),
      { doors: [] },
      new Presigned(w, new Agents(w), folder),
    ); // as far as it is asked
    const body: unknown = await (await app(requestOf("GET /v1/status"), {})).json();
    expect(body).toMatchObject({
      proxy: ENTRY.proxy,
      connected: true,
      entries: [{ id: ENTRY.id }],
      doors: [],
    });
    expect(await wordOf(app(requestOf("GET /v1/evidence?entry=mailer"), {}))).toBe("no_credential");
    expect(await wordOf(app(requestOf("GET /v1/evidence?entry=nobody"), {}))).toBe("entry_unknown");
  });

  const sig = { k: "sshsig", s: "U1NIU0lH" };
  const key = { jwk: generateSigner().key };
  it.each<readonly [string, string, unknown, readonly Entry[] | "unheard", string]>([
    ["of an agent without owner", "presign", { agent: "mailer" }, [ENTRY], "approval_unsuitable"],
    ["of an agent that nobody registered", "presign", { agent: "x" }, [ENTRY], "entry_unknown"],
    ["before the server was ever heard", "presign", { agent: "mailer" }, "unheard", "unreachable"],
    ["of an agent that does not run", "presign", { agent: "mailer" }, [OWNED], "process_gone"],
    ["of a process that is none", "presign", { agent: "mailer", pid: 0 }, [OWNED], bad],
    ["with something more", "presign", { agent: "mailer", owner: "me" }, [OWNED], bad],
    [
      "a statement that is none",
      "presigned",
      { statement: "e30", sig, key },
      [OWNED],
      "statement_invalid",
    ],
    ["no statement", "presigned", { sig }, [OWNED], bad],
  ])("presigning: %s → %#", async (_name, path, body, entries, word) => {
    const w = worldOf(entries);
    const agents = new Agents(w);
    const presigned = new Presigned(w, agents, folder);
    const app = adminApp(w, agents, new OpenRuns(), { doors: [] }, presigned);
    expect(await wordOf(app(requestOf(`POST /v1/${path}`, JSON.stringify(body)), {}))).toBe(word);
  });
});
