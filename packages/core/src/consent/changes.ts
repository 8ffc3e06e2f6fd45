import { canonicalJson } from "../json/canonical.ts";
import type { Digest, Seconds } from "../crypto.ts";
import type { CeilingEntry } from "./ceiling.ts";
import type { CredentialStatement } from "./statement.ts";
import { literal } from "./view-words.ts";

/** One thing that an owner approves, before and now; absent: there was, or is, none. */
export interface Term {
  /** What it is, in words for the owner. */
  readonly name: string;
  readonly before?: string;
  readonly now?: string;
}

/** What differs between what an owner approved last for an agent and what he is asked now. */
export interface ApprovalDiff {
  readonly approvedAt: Seconds;
  /** Most telling first. */
  readonly changes: readonly Term[];
  /** Names of what is the same. */
  readonly same: readonly string[];
}

const SHORT_LENGTH = 8;
const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

function duration(seconds: Seconds): string {
  let rest = seconds;
  const parts = UNITS.flatMap(([unit, size]) => {
    const n = Math.floor(rest / size);
    rest -= n * size;
    return n === 0 ? [] : [`${n} ${unit}${n === 1 ? "" : "s"}`];
  });
  return parts.length === 0 ? "0 seconds" : parts.join(" ");
}

const escaped = (text: string): string => literal(text).slice(1, -1);
const short = (digest: Digest): string => digest.slice(8, 8 + SHORT_LENGTH);

function reach(entry: CeilingEntry): string {
  const { actions, locations, class: kind, max_calls: calls } = entry;
  const what = actions.length === 0 ? "any action" : actions.map(escaped).join(", ");
  const where = locations.length === 0 ? "any place" : locations.map(escaped).join(", ");
  const undone = kind === undefined ? "" : `, ${kind.replaceAll("_", " ")}`;
  const often = calls === undefined ? "" : `, ${calls === 1 ? "once" : `${calls} times`}`;
  return `${what} at ${where}${undone}${often}`;
}

const reaches = (entries: readonly CeilingEntry[]): string =>
  entries.length === 0 ? "no limit in the text" : entries.map(reach).join("; ");

/** A value as it is compared, whole, and as it is shown, short. */
type Shown = readonly [whole: string, shown: string];

const plain = (text: string): Shown => [text, text];

const MEASURED: readonly (readonly [n: string, name: string])[] = [
  ["script", "main script"],
  ["binary", "program file"],
  ["manifest", "list of files"],
  ["image", "container image"],
  ["model", "model"],
  ["prompt", "prompt"],
  ["tools", "tool list"],
];

/** Everything that an owner approves, each under its name, in the order in which changes are told. */
function termsOf({ agent, grant }: CredentialStatement): ReadonlyMap<string, Shown> {
  const terms = new Map<string, Shown>();
  for (const [n, name] of MEASURED) {
    const found = agent.meas.find((one) => one.n === n);
    if (found !== undefined) terms.set(name, [found.d, short(found.d)]);
  }
  terms.set("may use", [canonicalJson([...grant.ceiling]), reaches(grant.ceiling)]);
  terms.set("host", [agent.host ?? "", escaped(agent.host?.split("/").at(-1) ?? "any host")]);
  terms.set("installation key", [agent.jkt, agent.jkt.slice(0, SHORT_LENGTH)]);
  terms.set("renews itself", plain(grant.use === "standing" ? "yes" : "no, one credential"));
  terms.set("lasts", plain(duration(grant.exp - grant.nbf)));
  terms.set("each credential lasts", plain(duration(grant.max_ttl)));
  terms.set("credentials in all", plain(String(grant.max_issue)));
  terms.set("at the same time", plain(String(grant.max_live)));
  const { parties } = grant;
  terms.set("owners who sign", [
    parties === undefined ? "" : canonicalJson({ ...parties }),
    parties === undefined
      ? "one"
      : `${parties.m} of ${new Set(parties.owners.map(({ id }) => id)).size}`,
  ]);
  return terms;
}

/**
 * Compares what an owner approved last for an agent with what he is asked to sign (owner.md 1.3): people see changes, not
 * lists. Two that look alike when shortened are shown as changed all the same. It stands beside the signed text, never in
 * its place.
 */
export function compareApprovals(
  before: CredentialStatement,
  now: CredentialStatement,
): ApprovalDiff {
  const [then, next] = [termsOf(before), termsOf(now)];
  const names = [...MEASURED.map(([, name]) => name), ...next.keys()];
  const changes: Term[] = [];
  const same: string[] = [];
  for (const name of new Set(names)) {
    const [was, is] = [then.get(name), next.get(name)];
    if (was === undefined && is === undefined) continue;
    if (was?.[0] === is?.[0]) same.push(name);
    else
      changes.push({
        name,
        ...(was === undefined ? {} : { before: was[1] }),
        ...(is === undefined ? {} : { now: is[1] }),
      });
  }
  return { approvedAt: before.iat, changes, same };
}
