import { describe, expect, it } from "vitest";
import { memoryReplayStore, readTrust } from "@countersign/core";
import type { HeaderLines, ReplayStore } from "@countersign/core";
import { requestHeaders, trustFileOf } from "../../../core/src/verify/request.testing.ts";
import { makeStory, NOW, RESOURCE } from "../../../core/src/verify/story.testing.ts";
import type { Story } from "../../../core/src/verify/story.testing.ts";
import { problemFor } from "./refused.ts";
import { relyingParty } from "./relying-party.ts";
import type { RelyingParty } from "./relying-party.ts";
import { PATH, URL } from "./requests.testing.ts";

const quiet = await makeStory();
const loud = await makeStory({ trustDomain: "loud.example" });
const trust = readTrust(trustFileOf(quiet, loud), NOW);

/** One of several instances of a service. */
function instance(replay: ReplayStore, now = NOW): RelyingParty {
  return relyingParty({ trust, resources: [RESOURCE], clock: () => now, replay });
}

/** `accepted`, or status and code. */
async function send(party: RelyingParty, headers: HeaderLines): Promise<string> {
  try {
    await party.verifyRequest({ path: PATH, headers });
    return "accepted";
  } catch (error) {
    const { status, problem } = problemFor(error);
    return `${status} ${problem.reason}`;
  }
}

const sendNew = async (party: RelyingParty, story: Story): Promise<string> =>
  send(party, await requestHeaders(story, URL));

/** As many requests of one caller as the store has room for. */
async function flood(party: RelyingParty, story: Story): Promise<readonly string[]> {
  const answers = [await sendNew(party, story)];
  while (answers.at(-1) === "accepted") answers.push(await sendNew(party, story));
  return answers;
}

describe("instances that share a replay store", () => {
  it("take a proof once between them", async () => {
    const store = memoryReplayStore({ maxEntries: 100 });
    const headers = await requestHeaders(quiet, URL);
    expect(await send(instance(store), headers)).toBe("accepted");
    expect(await send(instance(store), headers)).toBe("401 replayed");
    expect(await send(instance(memoryReplayStore({ maxEntries: 100 })), headers)).toBe("accepted");
  });

  it("take one of a hundred at once", async () => {
    const store = memoryReplayStore({ maxEntries: 100 });
    const parties = [instance(store), instance(store)];
    const headers = await requestHeaders(quiet, URL);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => parties.map((party) => send(party, headers))).flat(),
    );
    expect(answers.filter((answer) => answer === "accepted")).toHaveLength(1);
    expect(answers.filter((answer) => answer === "401 replayed")).toHaveLength(99);
  });
});

describe("a replay store", () => {
  it("that one caller floods takes the others, and forgets nothing of his", async () => {
    const party = instance(memoryReplayStore({ maxEntries: 12 }));
    const first = await requestHeaders(loud, URL);
    expect(await send(party, first)).toBe("accepted");
    const answers = await flood(party, loud);
    expect(answers).toEqual([...answers.slice(0, -1).fill("accepted"), "503 indeterminate"]);
    expect(answers).toHaveLength(6);
    expect(await sendNew(party, quiet)).toBe("accepted");
    expect(await sendNew(party, loud)).toBe("503 indeterminate");
    expect(await send(party, first)).toBe("401 replayed");
  });

  it("that is full refuses everybody until something has expired", async () => {
    const store = memoryReplayStore({ maxEntries: 2 });
    expect(await sendNew(instance(store), quiet)).toBe("accepted");
    expect(await sendNew(instance(store), loud)).toBe("accepted");
    expect(await sendNew(instance(store), quiet)).toBe("503 indeterminate");
    // proofs of the story live 30 s, and are remembered for the skew of 10 s beyond that
    const later = await requestHeaders(quiet, URL, {
      proof: (claims) => ({ ...claims, exp: NOW + 90 }),
    });
    expect(await send(instance(store, NOW + 39), later)).toBe("503 indeterminate");
    expect(await send(instance(store, NOW + 40), later)).toBe("accepted");
  });

  it.each<[string, ReplayStore, string]>([
    [
      "says that it cannot tell",
      { first: () => Promise.resolve("unavailable") },
      "503 indeterminate",
    ],
    [
      "breaks its contract and throws",
      { first: () => Promise.reject(new Error("down")) },
      "500 internal",
    ],
  ])("that %s refuses", async (_name, store, wanted) => {
    expect(await sendNew(instance(store), quiet)).toBe(wanted);
  });
});
