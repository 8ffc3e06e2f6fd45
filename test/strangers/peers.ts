import { spawnSync } from "node:child_process";

/** A program of somebody else that judges what we make. */
export type PeerName =
  | "curl"
  | "openssl"
  | "ssh-keygen"
  | "python3"
  | "busctl"
  | "dbus-daemon"
  | "python3-dbus"
  | "systemd-analyze"
  | "softhsm2-util"
  | "pkcs11-tool";

/** Whether the peer can be used here, and how it is called. */
export interface Peer {
  readonly present: boolean;
  readonly path: string;
}

/** How each peer is called, and a call that succeeds wherever it can be used. */
const PEERS: Readonly<
  Record<PeerName, { path: string; probe: readonly string[]; ok: readonly number[] }>
> = {
  curl: { path: "curl", probe: ["--version"], ok: [0] },
  openssl: { path: "openssl", probe: ["version"], ok: [0] },
  // an unknown option: it prints its usage, so it is there
  "ssh-keygen": { path: "ssh-keygen", probe: ["-?"], ok: [0, 1, 255] },
  python3: { path: "/usr/bin/python3", probe: ["-c", "import cryptography, jwt"], ok: [0] },
  busctl: { path: "/usr/bin/busctl", probe: ["--version"], ok: [0] },
  "dbus-daemon": { path: "/usr/bin/dbus-daemon", probe: ["--version"], ok: [0] },
  "python3-dbus": { path: "/usr/bin/python3", probe: ["-c", "import dbus, gi"], ok: [0] },
  "softhsm2-util": { path: "softhsm2-util", probe: ["--version"], ok: [0] },
  // an unknown option: it prints its usage, so it is there
  "pkcs11-tool": { path: "pkcs11-tool", probe: ["--version"], ok: [0, 1, 2] },
  "systemd-analyze": { path: "/usr/bin/systemd-analyze", probe: ["--version"], ok: [0] },
};

const known = new Map<PeerName, Peer>();

/**
 * Looks for a peer once. A missing one is said in one line and its suite is skipped
 * (`describe.skipIf(!peer("openssl").present)`); where CI is set it is a failure.
 */
export function peer(name: PeerName): Peer {
  const before = known.get(name);
  if (before !== undefined) return before;
  const { path, probe, ok } = PEERS[name];
  const answer = spawnSync(path, [...probe], { encoding: "utf8", timeout: 20_000, input: "" });
  const present =
    answer.error === undefined && answer.status !== null && ok.includes(answer.status);
  if (!present) {
    const line = `peer ${name} is missing (${path} ${probe.join(" ")}): its tests are skipped`;
    if (process.env["CI"] !== undefined) throw new Error(line);
    process.stderr.write(`${line}\n`);
  }
  const found = { present, path };
  known.set(name, found);
  return found;
}
