import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Home, processesNaming, ROOT, until } from "../e2e/countersign.ts";

/** Stands in the command line of what is run, and nowhere else. */
const MARK = `run-script-${process.pid}`;
const CHILD = `setInterval(() => undefined, 1000); // ${MARK}`;
const SCRIPT = `
  import { run } from "${ROOT}scripts/run.mjs";
  process.once("SIGTERM", () => process.exit(3));
  await run(process.execPath, ["--eval", process.env.CHILD]);`;

describe("what a script of the workspace runs", () => {
  let home: Home;
  beforeAll(async () => {
    home = await Home.create();
  });
  afterAll(() => home.close());

  it("ends with the script, also where the script is ended alone", async () => {
    const script = home.spawn(process.execPath, ["--input-type=module", "--eval", SCRIPT], {
      CHILD,
    });
    await until("child", () => (processesNaming(MARK).length === 1 ? true : undefined));
    script.signal("SIGTERM");
    expect(await script.ended).toEqual({ code: 3, signal: null });
    await expect.poll(() => processesNaming(MARK)).toEqual([]);
  });
});
