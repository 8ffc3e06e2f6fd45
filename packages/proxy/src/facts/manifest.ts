import { createHash } from "node:crypto";
import { posix } from "node:path";
import { base64url, Members, parseJsonObject, Refusal } from "@countersign/core";
import type { Digest, ManifestFact } from "@countersign/core";
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

async function checkFile(pid: number, folder: string, file: ManifestFile): Promise<void> {
  const path = posix.isAbsolute(file.path) ? file.path : posix.join(folder, file.path);
  const handle = await openSeen(pid, path, "program_changed");
  try {
    const { d } = await measure(handle);
    if (d !== file.d)
      throw new Refusal("program_changed", `manifest: ${JSON.stringify(file.path)}`);
  } finally {
    await handle.close();
  }
}

/**
 * Hashes every file of the manifest that the entry names, as the process sees them. The manifest's own digest
 * is what the owner approves, so whoever puts another one in its place changes the measurement.
 * @param path as the entry names it: absolute, or from the working directory of the process
 * @throws Refusal `facts_missing` without a readable manifest, `program_changed` when a file is not as it says,
 * `process_gone`, `process_unreadable`, `too_large`
 */
export async function measureManifest(pid: number, path: string): Promise<readonly ManifestFact[]> {
  const where = await pathSeen(pid, path, "facts_missing");
  const handle = await openSeen(pid, where, "facts_missing");
  const { data, whole } = await readBounded(handle, MAX_MANIFEST_BYTES).finally(() =>
    handle.close(),
  );
  if (!whole) throw new Refusal("facts_missing", "the manifest is over 256 KiB");
  const manifest = readManifest(data);
  const singles = SINGLE.flatMap((n) => (manifest[n] === undefined ? [] : [{ n, ...manifest[n] }]));
  for (const file of [...manifest.files, ...singles])
    await checkFile(pid, posix.dirname(where), file);
  const d: Digest = `sha-256:${base64url(createHash("sha256").update(data).digest())}`;
  return [
    { n: "manifest", d, basis: "argv" },
    ...singles.map((file): ManifestFact => ({ n: file.n, d: file.d, basis: "argv" })),
  ];
}
