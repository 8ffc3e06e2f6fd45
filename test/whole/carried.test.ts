import { describe, expect, it } from "vitest";
import { parseCertificate, presentedOf, Refusal, verify } from "../../packages/core/src/index.ts";
import type { JsonObject, Presented, RefusalCode, Trust } from "../../packages/core/src/index.ts";
import { nodeCrypto as c } from "../../packages/node/src/index.ts";
import { ownTrust } from "../../packages/server/src/cases/trust.ts";
import { makeWhole } from "./whole.ts";

interface Issued {
  readonly presented: Presented;
  readonly trust: Trust;
  readonly now: number;
}

/** What an agent of this entry was issued, and what a relying party trusts that pinned the owner. */
async function issued(entry: JsonObject): Promise<Issued> {
  const seen: Presented[] = [];
  const whole = await makeWhole({
    entry,
    uplink: (uplink) => ({
      ...uplink,
      request: async (posted) => {
        const answer = await uplink.request(posted);
        if (answer.state === "issued")
          seen.push(presentedOf(answer.wit, answer.wic, answer.bundle));
        return answer;
      },
    }),
  });
  await whole.credential();
  await whole.approve();
  await whole.until(async () => (await whole.status())["state"] === "held");
  const { rig, owner } = whole.scene;
  const trust = await ownTrust(rig.world, [{ jkt: owner.jkt }]);
  await whole.end();
  const [presented] = seen;
  if (presented === undefined) throw new Error("nothing was issued");
  return { presented, trust, now: rig.now() };
}

async function outcome({ presented, trust, now }: Issued): Promise<string> {
  try {
    return (await verify(c, presented, trust, { proof: "verified" }, now)).proof;
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

const withoutApproval = ({ approval: _none, ...presented }: Presented): Presented => presented;

describe("an approval in the certificate, where the registration asks for it", () => {
  it.each<readonly [string, JsonObject, boolean, "verified" | RefusalCode]>([
    ["is enough beside the credential part", { x509_evidence: "approval" }, true, "verified"],
    ["is not there otherwise", {}, false, "owner_evidence_needed"],
  ])("%s", async (_name, entry, isThere, wanted) => {
    const made = await issued(entry);
    const [leaf = new Uint8Array()] = made.presented.chain ?? [];
    expect(parseCertificate(leaf).ownerBinding?.evidence !== undefined).toBe(isThere);
    expect(await outcome(made)).toBe("verified");
    expect(await outcome({ ...made, presented: withoutApproval(made.presented) })).toBe(wanted);
  });

  it("refuses another approval beside it", async () => {
    const one = await issued({ x509_evidence: "approval" });
    const { approval } = (await issued({ x509_evidence: "approval" })).presented;
    if (approval === undefined) throw new Error("it has one");
    expect(await outcome({ ...one, presented: { ...one.presented, approval } })).toBe(
      "forms_differ",
    );
  });
});
