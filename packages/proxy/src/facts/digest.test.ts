import { createHash } from "node:crypto";
import { open, utimes, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { afterEach, describe, expect, it } from "vitest";
import { base64url } from "@countersign/core";
import { MAX_FILE_BYTES, measure } from "./digest.ts";
import { codeOf, Yard } from "./family.testing.ts";

const yard = new Yard();
afterEach(() => yard.clear());

const PAST = new Date("2020-01-01");

function sha(text: string | Uint8Array): string {
  return `sha-256:${base64url(createHash("sha256").update(text).digest())}`;
}

async function measured(path: string): Promise<string> {
  const handle = await open(path);
  try {
    return (await measure(handle)).d;
  } finally {
    await handle.close();
  }
}

describe("the digest of a file", () => {
  it.each([0, 1, 512 * 1024, 512 * 1024 + 1, 1_500_000])("of %d bytes", async (length) => {
    const data = Buffer.alloc(length, 7);
    const path = await yard.file("file", "");
    await writeFile(path, data);
    expect(await measured(path)).toBe(sha(data));
  });

  it("is not remembered of a file that changed just now, whatever its times say", async () => {
    const path = await yard.file("file", "one");
    await utimes(path, PAST, PAST);
    expect(await measured(path)).toBe(sha("one"));
    await writeFile(path, "two");
    await utimes(path, PAST, PAST);
    expect(await measured(path)).toBe(sha("two"));
  });

  it("is the same for all who ask at once", async () => {
    const path = await yard.file("file", "x".repeat(1_000_000));
    const wanted = sha("x".repeat(1_000_000));
    expect(new Set(await Promise.all([1, 2, 3, 4].map(() => measured(path))))).toEqual(
      new Set([wanted]),
    );
  });

  it("refuses a folder and a file above the limit", async () => {
    expect(await codeOf(measured(await yard.folder()))).toBe("process_unreadable");
    const path = await yard.file("large", "");
    const handle = await open(path, "r+");
    await handle.truncate(MAX_FILE_BYTES + 1); // a hole: nothing is written
    await handle.close();
    expect(await codeOf(measured(path))).toBe("too_large");
  });

  it.each<[string, (handle: FileHandle) => Promise<unknown>]>([
    ["grows", (handle) => handle.write("more", 600_000)],
    ["shrinks", (handle) => handle.truncate(10)],
    ["is changed and keeps its length", (handle) => handle.write("other", 0)],
  ])("refuses a file that %s while it is read", async (_, change) => {
    const path = await yard.file("file", "x".repeat(600_000));
    await utimes(path, PAST, PAST);
    const handle = await open(path, "r+");
    // the change comes between the first look at the file and the first octet
    const meddled = new Proxy(handle, {
      get: (target, name): unknown => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        if (name !== "read") return member.bind(target) as unknown;
        return async (...args: readonly unknown[]): Promise<unknown> => {
          await change(target);
          return Reflect.apply(member, target, args) as unknown;
        };
      },
    });
    expect(await codeOf(measure(meddled))).toBe("program_changed");
    await handle.close();
  });
});
