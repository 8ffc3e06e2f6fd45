import { createHash } from "node:crypto";
import { posix } from "node:path";
import { base64url, Members, parseJsonObject, Refusal } from "@countersign/core";
import type { Basis, Digest, ManifestFact } from "@countersign/core";
import type { JudgeBasis } from "./basis.ts";
import { measure } from "./digest.ts";
import { readBounded } from "./read.ts";
import { openSeen, pathSeen } from "./seen.ts";

const MAX_MANIFEST_BYTES = 256 * 1024;
const MAX_FILES = 256;
const MAX_PATH = 4096;
const SINGLE = ["model", "prompt", "tools"] as const;

/** One line of a manifest: a path, absolute or from the manifest's own folder, and the digest it must have. */
export interface ManifestFile {
  readonly path: string;
  readonly d: Digest;
}

/** `agent-manifest/1`: the files that make up an agent; `model`, `prompt` and `tools` are told apart from the rest. */
export interface Manifest {
  readonly files: readonly ManifestFile[];
  readonly model?: ManifestFile;
  readonly prompt?: ManifestFile;
  readonly tools?: ManifestFile;
}

function readFileLine(members: Members): ManifestFile {
  const line = {
    path: members.text("path", { maxLength: MAX_PATH, pattern: /^[^\0]+$/ }),
    d: members.digest("d"),
  };
  members.end();
  return line;
}

/**
 * Reads a manifest: `{ "typ": "agent-manifest/1", "files": [{ "path", "d" }], "model"?, "prompt"?, "tools"? }`, the
 * last three of the form of a file. Closed: unknown members refuse.
 * @throws Refusal `facts_missing` when it does not read
 */
export function readManifest(data: Uint8Array): Manifest {
  try {
    const json = parseJsonObject(data, { maxBytes: MAX_MANIFEST_BYTES, maxDepth: 4 });
    const members = new Members(json, "facts_missing", "manifest");
    members.choice("typ", ["agent-manifest/1"]);
    const files = members.list(
      "files",
      (item, where) => readFileLine(new Members(item, "facts_missing", where)),
      MAX_FILES,
    );
    const single = Object.fromEntries(
      SINGLE.filter((name) => members.has(name)).map((name) => [
        name,
        readFileLine(members.object(name)),
      ]),
    );
    members.end();
    return { files, ...single };
  } catch (error) {
    if (error instanceof Refusal && error.code !== "facts_missing")
      throw new Refusal("facts_missing", "the manifest is not strict JSON");
    throw error;
  }
}

/** Checks one file, and says on what that rests: on no better than its manifest. */
async function checkFile(
  pid: number,
  folder: string,
  file: ManifestFile,
  judge: JudgeBasis,
): Promise<Basis> {
  const path = posix.isAbsolute(file.path) ? file.path : posix.join(folder, file.path);
  const handle = await openSeen(pid, path, "program_changed");
  try {
    const { d, stats } = await measure(handle);
    if (d !== file.d)
      throw new Refusal("program_changed", `manifest: ${JSON.stringify(file.path)}`);
    return await judge({ named: path, handle, stats });
  } finally {
    await handle.close();
  }
}

/**
 * Hashes every file of the manifest that the entry names, as the process sees them. The manifest's own digest
 * is what the owner approves, so whoever puts another one in its place changes the measurement. The whole rests on
 * no better than its weakest file.
 * @param path as the entry names it: absolute, or from the working directory of the process
 * @param judge on what one file rests
 * @throws Refusal `facts_missing` without a readable manifest, `program_changed` when a file is not as it says,
 * `process_gone`, `process_unreadable`, `too_large`
 */
export async function measureManifest(
  pid: number,
  path: string,
  judge: JudgeBasis,
): Promise<readonly ManifestFact[]> {
  const where = await pathSeen(pid, path, "facts_missing");
  const handle = await openSeen(pid, where, "facts_missing");
  try {
    const { data, whole } = await readBounded(handle, MAX_MANIFEST_BYTES);
    if (!whole) throw new Refusal("facts_missing", "the manifest is over 256 KiB");
    const manifest = readManifest(data);
    const bases = [
      await judge({ named: path, handle, stats: await handle.stat({ bigint: true }) }),
    ];
    const singles = SINGLE.flatMap((n) =>
      manifest[n] === undefined ? [] : [{ n, ...manifest[n] }],
    );
    for (const file of [...manifest.files, ...singles])
      bases.push(await checkFile(pid, posix.dirname(where), file, judge));
    const [basis = "argv", ...others] = new Set(bases);
    const weakest = others.length === 0 ? basis : "argv";
    const d: Digest = `sha-256:${base64url(createHash("sha256").update(data).digest())}`;
    return [{ n: "manifest" as const, d }, ...singles].map((one) => ({
      n: one.n,
      d: one.d,
      basis: weakest,
    }));
  } finally {
    await handle.close();
  }
}
