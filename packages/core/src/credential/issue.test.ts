import { describe, expect, it } from "vitest";
import { outcomeOf } from "../outcome.testing.ts";
import { makeStory, NOW } from "../verify/story.testing.ts";
import { owned, unbound } from "../verify/mutation.testing.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { verifyWit } from "./wit.ts";
import { witTrustOf } from "../trust/wit-trust.ts";

describe("both forms of one draft", () => {
  it("I-20: have one key, one life, both ids and both keys", async () => {
    const { c, credential, keys, agent, statement, domain } = await makeStory();
    const [leaf, issuing, more] = credential.chain.map((der) => parseCertificate(der));
    const wit = await verifyWit(
      c,
      credential.wit,
      witTrustOf(c, new Map([[domain.origin, domain]])),
      NOW,
    );
    expect(more).toBeUndefined();
    expect(wit).toMatchObject({
      iss: "https://id.example.org",
      iat: NOW - 30,
      nbf: NOW - 60,
      exp: NOW + 600,
      confirmation: { key: keys.credential.key, alg: "ES256" },
      owner: {
        id: statement.body.owner.id,
        jwk: keys.owner.key,
        cs: statement.cs,
        n: 1,
        model: "server",
      },
    });
    expect(leaf).toMatchObject({
      uris: [agent],
      key: keys.credential.key,
      notBefore: NOW - 90,
      notAfter: NOW + 600,
    });
    expect(issuing?.key).toEqual(keys.issuing.key);
  });

  it("without an owner hold no word of one", async () => {
    const { c, credential, domain } = await makeStory({ draft: unbound });
    const [leaf = new Uint8Array(0)] = credential.chain;
    const wit = await verifyWit(
      c,
      credential.wit,
      witTrustOf(c, new Map([[domain.origin, domain]])),
      NOW,
    );
    expect(wit).not.toHaveProperty("owner");
    expect(parseCertificate(leaf).ownerBinding).toBeUndefined();
  });

  it.each<readonly [string, Parameters<typeof makeStory>[0], string]>([
    ["in order", {}, "accepted"],
    [
      "agent is no agent",
      { draft: (x) => ({ ...x, agent: "https://example.org/a" }) },
      "invalid_identifier",
    ],
    ["it ends before it begins", { draft: (x) => ({ ...x, exp: x.iat - 100 }) }, "refused"],
    ["ordinal 0", { draft: owned(() => ({}), 0) }, "refused"],
    ["a basis nobody knows", { draft: owned(() => ({ basis: "magic" })) }, "owner_claim"],
  ])("%s → %s", async (_name, change, wanted) => {
    const found = await outcomeOf(() => makeStory(change));
    if (wanted === "refused") expect(found).not.toBe("accepted");
    else expect(found).toBe(wanted);
  });
});
