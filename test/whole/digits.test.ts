import { afterEach, describe, expect, it } from "vitest";
import {
  fromBase64url,
  fromUtf8,
  isObject,
  parseJson,
  readStatement,
  Refusal,
} from "../../packages/core/src/index.ts";
import type { Json, JsonObject } from "../../packages/core/src/index.ts";
import { nodeCrypto as c } from "../../packages/node/src/index.ts";
import type { Log } from "../../packages/node/src/index.ts";
import type { RunDoors } from "../../packages/proxy/src/doors/run.ts";
import { adminApp } from "../../packages/proxy/src/http/admin.ts";
import { OpenRuns, runApp } from "../../packages/proxy/src/http/run.ts";
import { StandIn } from "../../packages/proxy/src/world.testing.ts";
import { openWith } from "../../packages/server/src/cases/digits.testing.ts";
import { readAnswer, seededRandom, textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { signInAt } from "./console-page.ts";
import { enrolPasskey } from "./passkey.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const DRAWN_BYTES = 8;
const CALLER = new StandIn(4000);

let open: AtTerminal | undefined;
afterEach(async () => {
  await open?.whole.end();
  open = undefined;
});

/** A whole whose door is one of `countersign run`, at whose terminal somebody sits. */
class AtTerminal {
  readonly whole: Whole;
  readonly #run: ReturnType<typeof runApp>;
  /** What proxy and server log. */
  readonly logged: Json[];
  readonly runs: OpenRuns = new OpenRuns();
  readonly ended = new AbortController();

  private constructor(whole: Whole, logged: Json[]) {
    this.whole = whole;
    this.logged = logged;
    whole.door.run = { uid: 1001, since: whole.scene.rig.now() };
    whole.door.hasTerminal = true;
    const { runs } = this;
    const ended = new Promise<never>(() => undefined);
    runs.add(Object.assign(whole.door, { uid: 1001, closed: ended }), CALLER);
    const doors = {} as RunDoors; // none is opened here
    this.#run = runApp(whole.w, whole.agents, doors, runs);
  }

  /** @param digits what the proxy draws for every question; default: what it will */
  static async make(digits?: number): Promise<AtTerminal> {
    const seeded = seededRandom("proxy");
    const logged: Json[] = [];
    const note = (event: string, fields: object = {}): void => {
      logged.push({ event, ...(JSON.parse(JSON.stringify(fields)) as JsonObject) });
    };
    const log: Log = { debug: note, info: note, warn: note, error: note };
    const drawn = new Uint8Array(DRAWN_BYTES).fill(digits ?? 0, DRAWN_BYTES - 1);
    const whole = await makeWhole({
      log,
      server: { log },
      ...(digits === undefined
        ? {}
        : { random: (size) => (size === DRAWN_BYTES ? drawn : seeded(size)) }),
    });
    open = new AtTerminal(whole, logged);
    return open;
  }

  events(peer: StandIn = CALLER): Promise<Response> {
    const path = `/v1/runs/events?door=${encodeURIComponent(this.whole.door.path)}`;
    const { signal } = this.ended;
    return this.#run(new Request(`http://run${path}`, { signal }), { peer });
  }

  async id(): Promise<string> {
    const [ask] = await this.whole.scene.rig.world.store.asks({ state: "asked" });
    return ask?.id ?? "";
  }

  /** What the terminal shows of the question that is open. */
  async shown(): Promise<JsonObject> {
    const events = await eventsIn(await this.events(), ["waiting"]);
    return events.at(-1) ?? {};
  }
}

/** The events of a stream, until these have come. */
async function eventsIn(
  response: Response,
  wanted: readonly string[],
): Promise<readonly JsonObject[]> {
  const reader = response.body?.getReader();
  const found: JsonObject[] = [];
  const missing = [...wanted];
  let text = "";
  while (missing.length > 0) {
    const { done = true, value } = (await reader?.read()) ?? {};
    if (done) break;
    text += new TextDecoder().decode(value);
    const ended = text.split("\n\n");
    text = ended.pop() ?? "";
    for (const event of ended) {
      const name = /^event: (.*)$/m.exec(event)?.[1];
      if (name === undefined) continue;
      found.push({ name, ...(JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? "{}") as JsonObject) });
      if (missing.includes(name)) missing.splice(missing.indexOf(name), 1);
    }
  }
  await reader?.cancel();
  return found;
}

describe("a program that asks through the door of a run at a terminal (owner.md 1.7)", () => {
  it("is approved with the digits that the terminal shows, and gets its credential", async () => {
    const terminal = await AtTerminal.make();
    const { whole } = terminal;
    expect((await whole.credential()).status).toBe(202);
    const { digits, code } = await terminal.shown();
    expect([digits, code]).toEqual([expect.stringMatching(/^\d\d$/), expect.any(String)]);
    const id = await terminal.id();
    expect("jcs" in (await openWith(whole.scene, id)).body).toBe(false);
    const opened = await openWith(whole.scene, id, textOf(digits));
    const octets = fromBase64url(textOf(opened.body["jcs"]));
    const { body } = readStatement(c, octets);
    expect(body.kind === "credential" && body.view.match).toBe(digits);
    expect((await whole.scene.owner.decide(id, octets)).word).toBe("200");
    await whole.heard();
    expect((await whole.credential()).status).toBe(200);
    // what was issued says so for ever, in the text that was signed
    const [grant] = await whole.scene.rig.world.store.grants();
    expect(fromUtf8(grant?.statement ?? new Uint8Array())).toContain(`"match":"${textOf(digits)}"`);
  });

  it("has the same digits while it waits, and others with its next question", async () => {
    const terminal = await AtTerminal.make();
    const { whole } = terminal;
    await whole.credential();
    const first = await terminal.shown();
    await whole.credential();
    expect(await terminal.shown()).toEqual(first);
    await whole.scene.owner.deny(await terminal.id());
    await whole.heard();
    await whole.pass(3600);
    expect((await whole.credential()).status).toBe(202);
    const second = await terminal.shown();
    expect(second["code"]).not.toBe(first["code"]);
    expect((await openWith(whole.scene, await terminal.id(), textOf(second["digits"]))).word).toBe(
      "200",
    );
  });

  it("is denied after two wrong tries, and hears it", async () => {
    const terminal = await AtTerminal.make(42);
    const { whole } = terminal;
    const waiting = whole.call("POST /v1/credential?wait=60", {});
    await whole.until(async () => (await terminal.id()) !== "");
    const id = await terminal.id();
    expect((await openWith(whole.scene, id, "24")).word).toBe("digits_mismatched");
    expect((await openWith(whole.scene, id, "24")).word).toBe("digits_mismatched");
    await whole.heard();
    expect((await waiting).word).toBe("approval_denied");
  });

  it("shows none where nobody sits at a terminal", async () => {
    const terminal = await AtTerminal.make();
    const { whole } = terminal;
    whole.door.hasTerminal = false;
    await whole.credential();
    expect("digits" in (await terminal.shown())).toBe(false);
    expect("jcs" in (await openWith(whole.scene, await terminal.id())).body).toBe(true);
  });

  it("has its own, beside another program of the same run", async () => {
    const terminal = await AtTerminal.make();
    const { whole } = terminal;
    await whole.scene.put({ name: "mailer", pins: [] });
    whole.door.scripts.set(4712, 9);
    const events = eventsIn(await terminal.events(), ["waiting", "waiting"]);
    await whole.credential();
    const first = await terminal.id();
    await whole.credential(4712);
    const second = await terminal.id();
    expect(second).not.toBe(first);
    const waiting = (await events).filter(({ name }) => name === "waiting");
    const shown = waiting.map(({ digits }) => textOf(digits));
    expect([shown.length, new Set(shown).size]).toEqual([2, 2]);
    expect((await openWith(whole.scene, second, shown[1])).word).toBe("200");
  });

  it("tells them to nobody but the process of the run", async () => {
    const terminal = await AtTerminal.make();
    await terminal.whole.credential();
    expect((await readAnswer(await terminal.events(new StandIn(4711)))).word).toBe("not_found");
    expect((await readAnswer(await terminal.events(new StandIn(4001)))).word).toBe("not_found");
  });
});

/** What differs between two runs of the same story whatever the digits are: keys, and what is made of them. */
const RANDOM = /[A-Za-z0-9+/=_-]{10,}|[0-9A-Z]{5}-[0-9A-Z]{5}/g;

function plain(text: string): Json {
  const jws = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$/.exec(text);
  if (jws !== null) return [plain(jws[1] ?? ""), plain(jws[2] ?? "")];
  for (const octets of [() => text, () => fromUtf8(fromBase64url(text))])
    try {
      const value = parseJson(octets(), { maxBytes: 4_194_304, maxDepth: 32 });
      if (isObject(value)) return whatItSays(value);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  return text.replace(RANDOM, "*");
}

/** A value with everything that stands inside its texts, and without what is random anyway. */
function whatItSays(value: Json): Json {
  if (typeof value === "string") return plain(value);
  // lists by a random name come in any order
  if (Array.isArray(value))
    return value
      .map(whatItSays)
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, whatItSays(one)]));
}

/** Everything that owner, agent, administrators and logs receive of one question until it is decided. */
async function heardOf(digits: number): Promise<{ readonly said: Json; readonly terminal: Json }> {
  const at = await AtTerminal.make(digits);
  const { whole } = at;
  const { rig } = whole.scene;
  const passkey = await enrolPasskey(rig);
  const session = await signInAt(rig, passkey);
  const said: Json[] = [];
  const take = async (answer: Promise<Answered>): Promise<void> => {
    const { word, body, text } = await answer;
    said.push(word, Object.keys(body).length === 0 ? text.replace(/ [0-9.e+-]+$/gm, "") : body);
  };
  const { signal } = at.ended;
  const atDoor = whole.app(new Request("http://door/v1/events", { signal }), {
    peer: new StandIn(),
  });
  const ofAgent = eventsIn(await atDoor, ["waiting"]);
  const ofRun = eventsIn(await at.events(), ["waiting"]);
  const stream = rig.owners.open({ owner: whole.scene.owner.id }, undefined, signal);
  const ofOwner = eventsIn(await stream, ["inbox", "approval.asked", "approval.mismatched"]);
  await take(whole.credential(undefined, "I sort the mail."));
  await take(whole.credential());
  await take(whole.call("GET /v1/status"));
  await take(whole.proof());
  const id = await at.id();
  const request = `/v1/owner/requests/${id}`;
  for (const path of [
    "/v1/owner/requests",
    "/v1/owner/requests?all=1",
    request,
    `${request}?jkt=${passkey.jkt}`,
    `${request}?jkt=${passkey.jkt}&match=55`,
    request,
    "/v1/owner/agents",
    "/v1/owner/agents/mailer",
    "/v1/owner/log",
    "/v1/owner/me",
  ])
    await take(session.call(`GET ${path}`));
  for (const match of ["55", "5"])
    await take(session.call(`POST ${request}/statement`, { jkt: passkey.jkt, match }));
  await take(session.call(`GET ${request}`));
  for (const path of [request, "/v1/owner/requests?all=1", "/v1/log", "/v1/status", "/metrics"])
    await take(rig.call("admin", `GET ${path}`));
  const local = adminApp(whole.w, whole.agents, at.runs, { doors: [] }, whole.presigned);
  await take(readAnswerOf(local(new Request("http://proxy/v1/status"), {})));
  said.push([...(await ofAgent)], [...(await ofOwner)], at.logged);
  const state = await rig.world.store.stateFor(whole.scene.host.id, rig.now());
  said.push(JSON.parse(JSON.stringify(state.asks)) as Json);
  const terminal = [...(await ofRun)];
  at.ended.abort();
  await whole.end();
  open = undefined;
  return { said: whatItSays(said), terminal: whatItSays(terminal) };
}

const readAnswerOf = async (response: Promise<Response>): Promise<Answered> =>
  readAnswer(await response);

it("T20: nobody but the terminal is told the digits: all others hear the same, whichever they are", async () => {
  const [seven, ninety] = [await heardOf(7), await heardOf(93)];
  expect(seven.said).toEqual(ninety.said);
  // and what differs would be seen: the terminal's own stream does
  expect(seven.terminal).not.toEqual(ninety.terminal);
  expect([seven.terminal, ninety.terminal]).toMatchObject([[{ digits: "07" }], [{ digits: "93" }]]);
});
