import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Command, Option } from "commander";
import { fromUtf8, presentedOf, readBundle, readTrust, Refusal } from "@countersign/core";
import type {
  Bytes,
  Demand,
  KeyAttestation,
  OwnerProof,
  Seconds,
  Verdict,
} from "@countersign/core";
import { nodeCrypto, printable, systemClock } from "@countersign/node";
import { checkLines, isGap } from "../check.ts";
import { readBounded } from "../files.ts";
import { ExitCode, instant, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";
import { FOLDER_FILES, readTerms, verifyFolder } from "../verify-folder.ts";
import type { Folder } from "../verify-folder.ts";
import { verifyShown } from "../verify-shown.ts";
import type { Shown } from "../verify-shown.ts";

const MAX_TRUST_BYTES = 1_048_576;
const MAX_FILE_BYTES = 1_048_576;
const LEVELS: readonly OwnerProof[] = ["none", "claimed", "verified", "logged"];

interface VerifyOptions {
  readonly trust: string;
  readonly wit?: string;
  readonly proof: OwnerProof;
  readonly resource?: string;
  readonly at?: string;
}

/** The second that decides, and who said so. */
interface At {
  readonly now: Seconds;
  readonly from: "--at" | "CHECK.md" | "the clock";
}

async function readFolder(path: string): Promise<Folder> {
  const files = new Map<string, Bytes>();
  for (const name of FOLDER_FILES) {
    const octets = await readFile(join(path, name)).catch(() => undefined);
    if (octets === undefined) continue;
    if (octets.length > MAX_FILE_BYTES) throw new Refusal("too_large", name);
    files.set(name, new Uint8Array(octets));
  }
  return files;
}

function timeOf(given: string | undefined, otherwise: At): At {
  if (given === undefined) return otherwise;
  if (!/^[0-9]{1,12}$/.test(given))
    throw new Refusal(
      "malformed_request",
      "--at is no number",
      "Give seconds since 1970: --at 1800000000.",
    );
  return { now: Number(given), from: "--at" };
}

function demandOf(options: VerifyOptions, resource: string | undefined): Demand {
  return { proof: options.proof, ...(resource === undefined ? {} : { resource }) };
}

async function ofFolder(path: string, options: VerifyOptions): Promise<[Shown, At]> {
  const folder = await readFolder(path);
  if (!folder.has("wit.jwt"))
    throw new Refusal(
      "not_found",
      `${path} has no wit.jwt`,
      "Name a folder as the demo's --out writes it, or a bundle file with --wit FILE.",
    );
  const terms = readTerms(folder);
  const at = timeOf(options.at, { now: terms.now, from: "CHECK.md" });
  const trust = readTrust(await readBounded(options.trust, MAX_TRUST_BYTES), at.now);
  const demand = demandOf(options, options.resource ?? terms.aud);
  const shown = await verifyFolder(nodeCrypto, folder, {
    trust,
    demand,
    now: at.now,
    aud: terms.aud,
  });
  return [shown, at];
}

async function ofBundle(path: string, options: VerifyOptions): Promise<[Shown, At]> {
  if (options.wit === undefined)
    throw new Refusal(
      "wit_missing",
      "a bundle says nothing without its token",
      "Name the token's file: --wit FILE.",
    );
  const at = timeOf(options.at, { now: systemClock(), from: "the clock" });
  const trust = readTrust(await readBounded(options.trust, MAX_TRUST_BYTES), at.now);
  const wit = fromUtf8(await readBounded(options.wit, MAX_FILE_BYTES)).replace(/\n$/, "");
  const bundle = readBundle(await readBounded(path, MAX_FILE_BYTES));
  const presented = presentedOf(wit, undefined, bundle);
  const demand = demandOf(options, options.resource);
  return [await verifyShown(nodeCrypto, presented, trust, demand, at.now), at];
}

const VOUCHED: Readonly<Record<NonNullable<Verdict["owner"]>["vouchedBy"], string>> = {
  pin: "a key you pinned",
  x509: "a certificate of a CA you configured",
  chain: "a key added by one you pinned",
  server: "by server",
  nobody: "by nobody",
};

const HARDWARE: Readonly<Record<KeyAttestation, string>> = {
  none: "nothing is known of it",
  pinned: "you checked it when you pinned the key",
  verified: "attested by a maker whose root you configured",
  untrusted: "attested by a maker whose root you did not configure",
  unknown_format: "attested in a format that is not judged here",
  invalid: "its attestation does not hold",
};

function verdictLines(cli: Cli, verdict: Verdict): readonly string[] {
  const { owner } = verdict;
  const lines = [
    `${cli.paint("green", "Verified.")} ${cli.paint("bold", printable(verdict.agent))}`,
  ];
  if (owner !== undefined) {
    const vouched = VOUCHED[owner.vouchedBy];
    lines.push(
      `  owner       ${owner.id} (${owner.kind}, ${owner.kindBasis}), assurance ${owner.oa}, ${vouched}`,
    );
    if (owner.parties !== undefined)
      lines.push(
        `  takes       ${owner.parties.m} owners; accepted here:`,
        ...owner.parties.accepted.map(
          ({ id, oa, vouchedBy }) => `    ${id}, assurance ${oa}, ${VOUCHED[vouchedBy]}`,
        ),
      );
    if (owner.attestation !== "none") lines.push(`  hardware    ${HARDWARE[owner.attestation]}`);
    if (owner.assuranceLowered)
      lines.push(cli.paint("yellow", "  ! the credential claims more assurance than is proved"));
  }
  lines.push(
    `  proof       ${verdict.proof}; log ${verdict.log}; revocation: ${verdict.revocation}`,
    `  expires     ${instant(verdict.expiresAt)}`,
  );
  if (verdict.development)
    lines.push(
      cli.paint("yellow", "  ! development trust domain: its keys lie on a developer's disk"),
    );
  return lines;
}

function report(cli: Cli, shown: Shown, at: At): void {
  const gap = shown.checks.find((check) => isGap(check));
  const { verdict } = shown;
  show(
    cli,
    {
      verified: verdict !== undefined,
      at: at.now,
      at_from: at.from,
      ...(gap === undefined ? {} : { gap: { id: gap.id, reason: gap.result } }),
      checks: shown.checks,
      ...(verdict === undefined ? {} : { verdict: { ...verdict, links: undefined } }),
    },
    [
      `As of ${instant(at.now)} (${at.from}):`,
      ...shown.checks.flatMap((check) => checkLines(cli.paint, check)),
      ...(verdict === undefined
        ? [`${cli.paint("red", "Not verified.")} It stops at ${gap?.id ?? "a link"}.`]
        : verdictLines(cli, verdict)),
    ],
  );
  if (verdict === undefined) throw new ExitCode(1);
}

async function run(cli: Cli, path: string, options: VerifyOptions): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined)
    throw new Refusal(
      "not_found",
      `no ${path}`,
      "Name a folder as the demo's --out writes it, or a bundle file with --wit FILE.",
    );
  const [shown, at] = await (found.isDirectory() ? ofFolder : ofBundle)(path, options);
  report(cli, shown, at);
}

export function build(cli: Cli): Command {
  return new Command("countersign verify")
    .description(
      "Checks a credential and its owner offline, link by link, as a relying party does.",
    )
    .argument("<path>", "folder as the demo's --out writes it, or a bundle file")
    .requiredOption("--trust <file>", "what you trust: relying-party.json")
    .option("--wit <file>", "the token that a bundle file belongs to")
    .addOption(
      new Option("--proof <level>", "how far the owner must be proved")
        .choices(LEVELS)
        .default("logged"),
    )
    .option("--resource <url>", "your own address: the approval must reach it (folder: its aud)")
    .option("--at <seconds>", "as of this second (default: CHECK.md's now, else the clock)")
    .addHelpText(
      "after",
      "\nExample:\n  countersign verify ./out --trust relying-party.json\n  countersign verify bundle.json --wit wit.jwt --trust relying-party.json --proof verified",
    )
    .action((path: string, options: VerifyOptions) => run(cli, path, options));
}
