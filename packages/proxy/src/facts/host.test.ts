import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { base64url } from "@countersign/core";
import { hostFacts } from "./host.ts";

it.skipIf(process.platform !== "linux")(
  "what the host says, and never its machine id",
  async () => {
    const { os, bootseed } = await hostFacts();
    expect(os.kernel).toMatch(/^\d+\.\d+/);
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1")
      .trim()
      .replaceAll("-", "");
    expect(bootseed).toBe(base64url(Buffer.from(boot, "hex")));
    if (!existsSync("/etc/machine-id")) return;
    const id = readFileSync("/etc/machine-id", "latin1").trim();
    const plain = `sha-256:${base64url(createHash("sha256").update(id).digest())}`;
    expect(os.machine_id).toMatch(/^sha-256:[\w-]{43}$/);
    expect(os.machine_id).not.toBe(plain); // the digest that others may publish of the same id
    expect(JSON.stringify(os)).not.toContain(id);
  },
);
