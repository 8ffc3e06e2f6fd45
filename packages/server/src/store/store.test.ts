import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { fileCheckpoint } from "./checkpoint-file.ts";
import { storeContract } from "./contract.testing.ts";
import { open } from "./fixtures.testing.ts";

const folder = mkdtempSync(join(tmpdir(), "countersign-store-"));
afterAll(() => rm(folder, { recursive: true }));
let files = 0;

storeContract("SQLite in memory", () => open());
storeContract("SQLite in a file", () => {
  files += 1;
  const path = join(folder, `${files}.db`);
  return open({ path, checkpointFile: fileCheckpoint(`${path}.checkpoint`) });
});
