import { describe, expect, it } from "vitest";
import { pinsOf } from "./trust-file.ts";

const JKT = "f2LZTCd1Sibt2nzXNmmSvbH0UZWLyeGn5t5bQ2Ho2Mo";
const OWNER = "urn:agent-owner:0123456789.dev.invalid:7Qm0Zs6Yw1";
const PIN = { owner: OWNER, jkt: JKT, kind: "person" };

describe("the pins that countersign dev writes for services on this machine", () => {
  it.each([
    ["a software key", {}, [PIN]],
    [
      "a passkey, with the name that it is bound to",
      { app: "localhost" },
      [{ ...PIN, app: "localhost" }],
    ],
    [
      "a security key of OpenSSH",
      { app: "ssh:agent-consent" },
      [{ ...PIN, app: "ssh:agent-consent" }],
    ],
    ["no key that was removed", { removed_at: 1_795_430_000 }, []],
  ])("%s", (_, more, pins) => {
    const owner = { id: OWNER, kind: "person", keys: [{ jkt: JKT, ...more }] };
    expect(pinsOf([owner])).toEqual(pins);
  });
});
