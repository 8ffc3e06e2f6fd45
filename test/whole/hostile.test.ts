import { describe, expect, it } from "vitest";
import {
  agentId,
  readStatement,
  thumbprint,
  writeStatement,
} from "../../packages/core/src/index.ts";
import type {
  CredentialStatement,
  Jwk,
  ProxyState,
  StandingApproval,
} from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import type { Uplink } from "../../packages/proxy/src/uplink/server.ts";
import { d, ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

type Posted = Parameters<Uplink["request"]>[0];
type Answer = Awaited<ReturnType<Uplink["request"]>>;

/** The statements that the proxy's anchor has endorsed. */
function endorsed(posted: readonly Posted[]): readonly unknown[] {
  return posted.map(({ endorsement }) => {
    const claims = JSON.parse(
      Buffer.from(endorsement.split(".")[1] ?? "", "base64url").toString(),
    ) as { cs?: unknown };
    return claims.cs;
  });
}

/** A server that lies in the approvals it pushes, to a proxy that was approved for. */
async function lied(
  lie: (approval: StandingApproval, whole: Whole) => StandingApproval,
): Promise<readonly unknown[]> {
  const posted: Posted[] = [];
  let whole: Whole | undefined;
  const made = await makeWhole({
    uplink: (uplink) => ({
      ...uplink,
      request: (request) => {
        posted.push(request);
        return uplink.request(request);
      },
    }),
    state: (state) =>
      whole === undefined
        ? state
        : { ...state, approvals: state.approvals.map((item) => lie(item, made)) },
  });
  whole = made;
  await made.credential();
  await made.approve();
  await made.until(() => posted.length === 2);
  await made.end();
  return endorsed(posted);
}

const rewrite =
  (change: (body: CredentialStatement) => object) =>
  (item: StandingApproval): StandingApproval => {
    const { body } = readStatement(c, item.approval.st);
    if (body.kind !== "credential") throw new TypeError("of another kind");
    const made = writeStatement(c, { ...body, ...change(body) });
    return { ...item, cs: made.cs, approval: { ...item.approval, st: made.bytes } };
  };

describe("a hostile server cannot have the anchor endorse", () => {
  const stranger = generateSigner("Ed25519");
  it.each<readonly [string, (item: StandingApproval, whole: Whole) => StandingApproval]>([
    ["another digest", (item) => ({ ...item, cs: d(9) })],
    ["a wider grant", rewrite((body) => ({ grant: { ...body.grant, max_live: 99 } }))],
    ["a longer grant", rewrite((body) => ({ grant: { ...body.grant, exp: body.grant.exp + 60 } }))],
    [
      "another anchor",
      rewrite((body) => ({
        agent: { ...body.agent, jkt: d(9).slice(8), id: agentId(ENTRY_ID, d(9).slice(8)) },
      })),
    ],
    [
      "another program",
      rewrite((body) => ({ agent: { ...body.agent, meas: [{ n: "binary", d: d(9) }] } })),
    ],
    [
      "another host",
      rewrite((body) => ({ agent: { ...body.agent, host: "spiffe://example.org/proxy/host-2" } })),
    ],
    ["another server", rewrite(() => ({ aud: "https://id.example.com" }))],
    [
      "a key of its own",
      (item) => ({ ...item, approval: { ...item.approval, key: { jwk: stranger.key } } }),
    ],
    [
      "a key of its own, named in the statement",
      (item) => {
        const made = rewrite((body) => ({
          owner: { ...body.owner, jkt: thumbprint(c, stranger.key) },
        }))(item);
        return { ...made, approval: { ...made.approval, key: { jwk: stranger.key } } };
      },
    ],
    ["T24: a denial", rewrite(() => ({ decision: "deny" }))],
  ])("%s", async (_name, lie) => {
    expect(await lied(lie)).toEqual([undefined, undefined]);
  });

  it("but what the owner signed, it does", async () => {
    const [first, second] = await lied((item) => item);
    expect([first, typeof second]).toEqual([undefined, "string"]);
  });

  it.each<readonly [string, (answer: Answer, other: Answer | undefined) => Answer]>([
    ["the credential of another request", (answer, other) => other ?? answer],
    [
      "a token without its proof",
      (answer) =>
        answer.state === "issued"
          ? { ...answer, bundle: { credential: answer.bundle.credential } }
          : answer,
    ],
    [
      "a certificate chain of nobody",
      (answer) =>
        answer.state === "issued" ? { ...answer, wic: answer.wic.toReversed() } : answer,
    ],
  ])("nor have the agent hold %s", async (_name, lie) => {
    const answers: Answer[] = [];
    let isLying = false;
    const whole = await makeWhole({
      uplink: (uplink) => ({
        ...uplink,
        request: async (posted) => {
          const answer = await uplink.request(posted);
          const earlier = answers.find(({ state }) => state === "issued");
          answers.push(answer);
          return isLying ? lie(answer, earlier) : answer;
        },
      }),
    });
    await whole.credential();
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    const before = (await whole.credential()).body["wit"];
    isLying = true;
    await whole.pass(460);
    await whole.until(() => answers.length === 3);
    await whole.heard();
    expect((await whole.credential()).body["wit"]).toBe(before);
    expect((await whole.status())["n"]).toBe(1);
    const { body } = await whole.proof();
    expect(await isProved(textOf(body["wit"]), textOf(body["wpt"]))).toBe(true);
    await whole.end();
  });
});

/** Whether the proof was made with the key that the token names. */
async function isProved(wit: string, wpt: string): Promise<boolean> {
  const { cnf } = JSON.parse(Buffer.from(wit.split(".")[1] ?? "", "base64url").toString()) as {
    cnf: { jwk: Jwk };
  };
  const [header = "", payload = "", signature = ""] = wpt.split(".");
  const input = new TextEncoder().encode(`${header}.${payload}`);
  return c.verify("ES256", cnf.jwk, input, new Uint8Array(Buffer.from(signature, "base64url")));
}

describe("what was halted is never endorsed again", () => {
  it("not even when the server shows it again", async () => {
    const posted: Posted[] = [];
    let shown: ProxyState["approvals"] = [];
    let isLying = false;
    const whole = await makeWhole({
      uplink: (uplink) => ({
        ...uplink,
        request: (request) => {
          posted.push(request);
          return uplink.request(request);
        },
      }),
      state: (state) => {
        if (state.approvals.length > shown.length) shown = state.approvals;
        return isLying ? { ...state, approvals: shown, stops: [] } : state;
      },
    });
    await whole.credential();
    await whole.approve();
    await whole.until(() => posted.length === 2);
    whole.door.scripts.set(9, 3); // another program of the same agent, approved as well
    await whole.credential(9);
    await whole.approve();
    await whole.until(async () => (await whole.status(9))["state"] === "held");
    const { rig } = whole.scene;
    const { body } = await rig.call("admin", "POST /v1/halts", {
      json: { scope: "domain", target: "example.org", reason: "" },
    });
    await whole.heard();
    await rig.call("admin", `DELETE /v1/halts/${textOf(body["id"])}`);
    await whole.heard();
    isLying = true;
    await whole.scene.put({ uid: 1001 }); // so that a state is sent
    await whole.heard();
    const before = posted.length;
    await whole.credential();
    await whole.credential(9);
    expect(endorsed(posted.slice(before))).toEqual([undefined, undefined]);
    await whole.end();
  });
});
