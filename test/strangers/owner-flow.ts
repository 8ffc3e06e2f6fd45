import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBase64url, presentedOf, readBundle, readTrust, verify } from "@countersign/core";
import type { Verdict } from "@countersign/core";
import { nodeCrypto, systemClock } from "@countersign/node";
import { tell } from "../e2e/countersign.ts";
import type { Home, Running } from "../e2e/countersign.ts";

/** The lines for a shell that `--print` shows: how to sign with other people's programs. */
export function signingLines(err: string): readonly string[] {
  const lines = err.split("\n");
  const from = lines.findIndex((line) => /^Sign it\b/.test(line)) + 1;
  const to = lines.findIndex((line) => line.startsWith("Then bring it back"));
  return lines.slice(from, to).map((line) => line.trim());
}

/**
 * What a service that trusts as `countersign dev` says makes of a call by this agent, log and all.
 * @param otherwise members of its one trust domain that are otherwise
 */
export async function judged(home: Home, agent: Running, otherwise: object = {}): Promise<Verdict> {
  const asked = { aud: "http://localhost:4000/", evidence: true };
  const { wit, evidence } = await tell(agent, "/v1/proof", asked);
  const now = systemClock();
  const file = JSON.parse(await readFile(join(home.data, "relying-party.json"), "utf8")) as {
    readonly domains: readonly object[];
  }; // as our own program writes it
  const domains = file.domains.map((domain) => ({ ...domain, ...otherwise }));
  const trust = readTrust(JSON.stringify({ ...file, domains }), now);
  const bundle = readBundle(fromBase64url(String(evidence)));
  const presented = presentedOf(String(wit), undefined, bundle);
  return verify(nodeCrypto, presented, trust, { proof: "logged" }, now);
}
