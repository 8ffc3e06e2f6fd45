import { describe, expect, it } from "vitest";
import { outcomeOf } from "../outcome.testing.ts";
import { checkNamedText } from "./named.ts";
import type { NamedRequest } from "./named.ts";
import type { CredentialStatement } from "./statement.ts";

const ENTRY = "spiffe://example.org/agent/mailer";
const PROXY = "spiffe://example.org/proxy/host-1";
const OWNER = "urn:agent-owner:example.org:alice-0001";
const NAMED: NamedRequest = { entry: ENTRY, proxy: PROXY, owners: [OWNER] };
const UNFIT = "approval_unsuitable";

const bodyOf = (host: string | undefined): CredentialStatement =>
  ({
    owner: { id: OWNER, jkt: "k" },
    agent: {
      id: `${ENTRY}/0123456789abcdef`,
      jkt: "a",
      meas: [],
      ...(host === undefined ? {} : { host }),
    },
  }) as unknown as CredentialStatement; // what is compared

describe("a text, and what it is shown under", () => {
  it.each<readonly [string, Partial<NamedRequest>, string | undefined, string]>([
    ["the same", {}, PROXY, "accepted"],
    ["any host", {}, undefined, "accepted"],
    ["one of several owners", { owners: ["urn:other", OWNER] }, PROXY, "accepted"],
    ["another agent", { entry: `${ENTRY}s` }, PROXY, UNFIT],
    ["an agent whose name it begins with", { entry: ENTRY.slice(0, -1) }, PROXY, UNFIT],
    ["another host", { proxy: `${PROXY}0` }, PROXY, UNFIT],
    ["another owner", { owners: [`${OWNER}0`] }, PROXY, UNFIT],
    ["nobody", { owners: [] }, PROXY, UNFIT],
  ])("%s → %#", async (_name, change, host, wanted) => {
    expect(await outcomeOf(() => checkNamedText(bodyOf(host), { ...NAMED, ...change }))).toBe(
      wanted,
    );
  });
});
