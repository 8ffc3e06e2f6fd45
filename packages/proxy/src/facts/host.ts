import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { release } from "node:os";
import { base64url } from "@countersign/core";
import type { HostFacts } from "@countersign/core";

const SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const MAX_MODULES = 16;

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").then(
    (text) => text.trim(),
    () => undefined, // a fact that this host does not tell
  );
}

/** The digest of the machine id for our use only: the id itself is meant to stay on the host (machine-id(5)). */
function machineDigest(id: string): { machine_id: `sha-256:${string}` } {
  const digest = createHash("sha256").update(`countersign-machine/1\0${id}`).digest();
  return { machine_id: `sha-256:${base64url(digest)}` };
}

/** `submods.host.countersign_os`, and `bootseed`: the random id of this boot. What the host does not tell is absent. */
export async function hostFacts(): Promise<{ os: HostFacts; bootseed?: string }> {
  const [id, lsm, scope, boot, secure] = await Promise.all([
    textOf("/etc/machine-id"),
    textOf("/sys/kernel/security/lsm"),
    textOf("/proc/sys/kernel/yama/ptrace_scope"),
    textOf("/proc/sys/kernel/random/boot_id"),
    readFile(SECURE_BOOT).catch(() => undefined),
  ]);
  const bootId = Buffer.from(boot?.replaceAll("-", "") ?? "", "hex");
  return {
    os: {
      kernel: release(),
      ...(id !== undefined && /^[0-9a-f]{32}$/.test(id) ? machineDigest(id) : {}),
      ...(lsm === undefined ? {} : { lsm: lsm.split(",").slice(0, MAX_MODULES) }),
      ...(scope !== undefined && /^[0-3]$/.test(scope) ? { ptrace_scope: Number(scope) } : {}),
      ...(secure?.length === 5 ? { secure_boot: secure[4] === 1 } : {}), // four octets of attributes first
    },
    ...(bootId.length === 16 ? { bootseed: base64url(bootId) } : {}),
  };
}
