import { canonicalJson, utf8 } from "@countersign/core";
import {
  containerPlaceOf,
  parseCgroup,
  unitPlaceOf,
} from "../../packages/proxy/src/facts/cgroup.ts";
import { INTERPRETERS, readCommandLine } from "../../packages/proxy/src/facts/interpreters.ts";
import { checkEnvironment } from "../../packages/proxy/src/facts/loader.ts";
import { readManifest } from "../../packages/proxy/src/facts/manifest.ts";
import { interpreterByName } from "../../packages/proxy/src/facts/script.ts";
import { objectPath, readUnitWord } from "../../packages/proxy/src/facts/systemd.ts";
import {
  parseNamespace,
  parseStat,
  parseStatus,
  splitNul,
} from "../../packages/proxy/src/facts/proc.ts";
import { readContainer } from "../../packages/proxy/src/facts/container.ts";
import { findMount, parseMountId } from "../../packages/proxy/src/facts/mounts.ts";
import { inspected } from "../../packages/proxy/src/facts/runtime.testing.ts";
import { ofOctets, ofText } from "./parser.ts";
import type { Parser } from "./parser.ts";

const DIGEST = `sha-256:${"A".repeat(43)}`;

/** What systemd says of a service; the answer about its unit stands still. */
function unitParser(): Parser {
  const line = (type: string, data: unknown): string => `${JSON.stringify({ type, data })}\n`;
  const command = ["/bin/a", ["/bin/a", "b c", ""], false, 1795430000000000, 5, 0, 0, 4711, 0, 0];
  const service = [
    line("u", 4711) +
      line("s", "simple") +
      line("s", "none") +
      line("s", "/system.slice/a.service"),
    line("a(sasbttttuii)", [command]) + line("a(sb)", [["/etc/default/a", true]]),
  ].join("");
  const about = utf8(
    line("s", "a.service") + line("s", "/etc/a.service") + line("as", ["/etc/a.conf"]),
  );
  return ofOctets("systemd", "lines", [utf8(service)], (octets) =>
    readUnitWord("a.service", octets, about),
  );
}

function containerParser(): Parser {
  const id = "0f".repeat(32);
  const sample = utf8(JSON.stringify(inspected(id)));
  return ofOctets("container", "json", [sample], (octets) => readContainer(octets, id), 2 ** 20);
}

/** What the proxy reads about processes: of the kernel, of systemd, of a container runtime. */
export function factParsers(): readonly Parser[] {
  const stat = `4711 (a b) c) S 1 ${"2 ".repeat(60)}`;
  const status =
    "Name:\tnode\nUid:\t1 1 1 1\nGid:\t1 1 1 1\nGroups:\t4 5\nTracerPid:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\nCapPrm:\t0000000000000000\nCapEff:\t0\n";
  const cgroup = "1:name=a:/b\n0::/system.slice/mail.service/x\n";
  const file = { path: "a.txt", d: DIGEST };
  const manifest = { typ: "agent-manifest/1", files: [file], model: file, tools: file };
  return [
    ofText("/proc stat", "lines", [stat], parseStat),
    ofText("/proc status", "lines", [status], parseStatus),
    ofText("/proc cgroup", "lines", [cgroup], (text) => [
      parseCgroup(text),
      unitPlaceOf(text),
      containerPlaceOf(text),
    ]),
    unitParser(),
    containerParser(),
    ofText(
      "/proc mountinfo",
      "lines",
      ["2 1 0:9 / / ro,a - b c d\n2 0 0:7 / /t rw - t t t\n"],
      (text) => findMount(text, 2),
    ),
    ofText("/proc fdinfo", "lines", ["pos:\t0\nmnt_id:\t42\n"], parseMountId),
    ofText("name of a unit", "plain", ["mail@a\\x2db.service"], objectPath),
    ofText("/proc namespace", "plain", ["mnt:[4026531840]"], parseNamespace),
    ofOctets(
      "/proc environ",
      "plain",
      [utf8("PATH=/bin\0"), utf8("A=b\0LD_PRELOAD=c\0")],
      (octets) => checkEnvironment(octets, true),
    ),
    ofOctets(
      "/proc cmdline",
      "plain",
      [utf8("node\0-r\0a.js\0b.js\0"), utf8("sh\0-c\0:\0")],
      (octets) => {
        const args = splitNul(octets).map((part) => Buffer.from(part).toString());
        return INTERPRETERS.map((kind) => readCommandLine(kind, args));
      },
    ),
    ofText(
      "interpreter",
      "plain",
      ["/usr/bin/python3.12", "/lib/ld-linux-x86-64.so.2"],
      interpreterByName,
    ),
    ofOctets("manifest", "json", [utf8(canonicalJson(manifest))], readManifest, 262_144),
  ];
}
