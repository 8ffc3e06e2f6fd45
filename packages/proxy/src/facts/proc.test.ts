import { describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { checkEnvironment } from "./loader.ts";
import { deviceName, parseNamespace, parseStat, parseStatus, splitNul } from "./proc.ts";
import { refusalOf } from "./read.ts";
import { isNewer } from "./script.ts";

function codeOf(act: () => unknown): string {
  try {
    act();
    return "accepted";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

const TAIL = `S 77 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8812345 9000 900 18446744073709551615 111 222 333`;

describe("parseStat", () => {
  const rows: readonly [string, string][] = [
    ["a plain name", `42 (cat) ${TAIL}`],
    ["a name that imitates the fields behind it", `42 (x) R 1 1 1 0 (y) ${TAIL}`],
    ["a name with spaces, brackets and a line end", `42 (a ) (\n) ${TAIL}`],
    ["an empty name", `42 () ${TAIL}`],
  ];
  it.each(rows)("reads %s", (_, text) => {
    expect(parseStat(text)).toEqual({ parent: 77, startTime: 8812345, layout: "111 333" });
  });
  it.each([
    ["nothing", ""],
    ["a cut line", "42 (cat) S 77 1"],
    ["no name", TAIL],
  ])("refuses %s", (_, text) => {
    expect(codeOf(() => parseStat(text))).toBe("process_gone");
  });
});

const STATUS = `Name:\tTracerPid: 9\\nx
Tgid:\t42
TracerPid:\t0
Uid:\t1001\t1002\t1003\t1004
Gid:\t1\t2\t3\t4
Groups:\t4 24 27 
CapPrm:\t0000000000000400
CapEff:\t000001fffeffffff
NoNewPrivs:\t1
Seccomp:\t2
`;

describe("parseStatus", () => {
  it("reads what the kernel says", () => {
    expect(parseStatus(STATUS)).toEqual({
      uids: [1001, 1002, 1003, 1004],
      gids: [1, 2, 3, 4],
      groups: [4, 24, 27],
      tracer: 0,
      noNewPrivs: true,
      seccomp: 2,
      capsEff: "000001fffeffffff",
      capsPermitted: 0x400n,
    });
  });
  it.each(["TracerPid", "Uid", "Gid", "Groups", "CapPrm", "CapEff", "NoNewPrivs"])(
    "refuses without %s",
    (name) => {
      const text = STATUS.split("\n")
        .filter((line) => !line.startsWith(`${name}:`))
        .join("\n");
      expect(codeOf(() => parseStatus(text))).toBe("process_gone");
    },
  );
  it("refuses capabilities that are no number", () => {
    expect(codeOf(() => parseStatus(STATUS.replace("0400", "-400")))).toBe("process_gone");
  });
  it("bounds the groups", () => {
    const many = STATUS.replace("4 24 27", Array.from({ length: 1000 }, (_, n) => n).join(" "));
    expect(parseStatus(many).groups).toHaveLength(256);
  });
});

describe("devices, namespaces, lists", () => {
  it("names devices as the kernel does", () => {
    expect([0x801n, 0xfd00n, 0x10302n].map((dev) => deviceName(dev))).toEqual([
      "8:1",
      "253:0",
      "259:2",
    ]);
  });
  it("reads namespaces", () => {
    expect(parseNamespace("mnt:[4026531840]")).toBe(4026531840);
    expect(codeOf(() => parseNamespace("mnt:[x]"))).toBe("process_gone");
  });
  it("splits at NUL and drops what is cut off", () => {
    const parts = (text: string): string[] =>
      splitNul(Buffer.from(text)).map((one) => Buffer.from(one).toString());
    expect([parts("a\0\0b c\0cut"), parts(""), parts("\0")]).toEqual([["a", "", "b c"], [], [""]]);
  });
});

describe("the environment", () => {
  const rows: readonly [string, string][] = [
    ["LD_PRELOAD=/x.so", "loader_forbidden"],
    ["LD_LIBRARY_PATH=", "loader_forbidden"],
    ["LD_=", "loader_forbidden"],
    ["NODE_OPTIONS=--require x", "loader_forbidden"],
    ["NODE_PATH=/x", "loader_forbidden"],
    ["PYTHONPATH=/x", "loader_forbidden"],
    ["PYTHONUNBUFFERED=1", "loader_forbidden"],
    ["PERL5OPT=-Mx", "loader_forbidden"],
    ["RUBYOPT=-rx", "loader_forbidden"],
    ["JAVA_TOOL_OPTIONS=-javaagent:x", "loader_forbidden"],
    ["BASH_ENV=/x", "loader_forbidden"],
    ["NODE_ENV=production", "accepted"],
    ["NODE_EXTRA_CA_CERTS=/x", "accepted"],
    ["ld_preload=/x", "accepted"],
    ["X=LD_PRELOAD=/x", "accepted"],
    ["XLD_PRELOAD=/x", "accepted"],
    ["LD_PRELOAD", "accepted"],
    ["COUNTERSIGN_SOCKET=/run/x", "accepted"],
  ];
  it.each(rows)("%s", (variable, code) => {
    const block = Buffer.from(`PATH=/bin\0${variable}\0HOME=/\0`);
    expect(codeOf(() => checkEnvironment(block, true))).toBe(code);
  });
  it("never repeats a value", () => {
    expect(() => checkEnvironment(Buffer.from("LD_PRELOAD=secret\0"), true)).toThrow(
      new Refusal("loader_forbidden", 'variable "LD_PRELOAD"'),
    );
  });
  it("refuses one that was not read to its end", () => {
    expect(codeOf(() => checkEnvironment(Buffer.from("A=1\0"), false))).toBe("loader_forbidden");
  });
});

describe("a script newer than its process", () => {
  const BOOT = 1_795_000_000_000_000_000n;
  const start = 12_345; // ticks, so 123.45 s after boot
  const at = (ms: bigint): bigint => BOOT + 123_450_000_000n + ms * 1_000_000n;
  it.each([
    ["older", -1n, -1n, false],
    ["of the same tick", 9n, 9n, false],
    ["changed after the start", 21n, 0n, true],
    ["dated back by hand, its inode not", -1000n, 21n, true],
    ["dated into the future by hand", 1_000_000n, -5n, true],
  ])("%s", (_, mtime, ctime, newer) => {
    expect(isNewer({ mtimeNs: at(mtime), ctimeNs: at(ctime) }, start, BOOT)).toBe(newer);
  });
});

describe("errors of the system", () => {
  it.each([
    ["ENOENT", "process_gone"],
    ["ESRCH", "process_gone"],
    ["EACCES", "process_unreadable"],
    ["EPERM", "process_unreadable"],
    ["EIO", "process_unreadable"],
  ])("%s is %s", (code, wanted) => {
    expect(refusalOf(Object.assign(new Error("x"), { code }), "exe")).toMatchObject({
      code: wanted,
    });
  });
  it("passes refusals and bugs on", () => {
    const refusal = new Refusal("too_large");
    const bug = new TypeError("x");
    expect([refusalOf(refusal, "exe"), refusalOf(bug, "exe")]).toEqual([refusal, bug]);
  });
});
