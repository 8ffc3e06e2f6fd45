// The real busctl and a real message bus, on which a stand-in has systemd's name: what we ask, and how it is printed.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askByBusctl } from "../../packages/proxy/src/facts/systemd.ts";
import { peer } from "./peers.ts";

const SYSTEMD = `
import dbus, dbus.service, sys
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
bus = dbus.bus.BusConnection(sys.argv[1], mainloop=DBusGMainLoop())
A, S, U, T, I, B = dbus.Array, dbus.String, dbus.UInt32, dbus.UInt64, dbus.Int32, dbus.Boolean
def command(*argv):
    return dbus.Struct((S(argv[0]), A(list(map(S, argv)), signature="s"), B(False),
        T(1795430000000000), T(5), T(0), T(0), U(4711), I(0), I(0)), signature="sasbttttuii")
def service(unit, **change):
    values = dict(MainPID=U(4711), Type=S("simple"), NotifyAccess=S("none"), Id=S(unit),
        ControlGroup=S("/system.slice/" + unit), FragmentPath=S("/etc/systemd/system/" + unit),
        DropInPaths=A([S("/etc/systemd/system/a.d/x.conf")], signature="s"),
        EnvironmentFiles=A([dbus.Struct((S("/etc/default/a"), B(True)), signature="sb")], signature="(sb)"),
        ExecStart=A([command("/usr/bin/node", "/srv/it's \\"mine\\".mjs", "a  b", "", "\\u00fc\\n$")], signature="(sasbttttuii)"))
    values.update(change)
    return values
UNITS = {
    "mail_2eservice": service("mail.service"),
    "_31_2da_40b_5cx2dc_2eservice": service("1-a@b\\\\x2dc.service",
        ExecStart=A([command("/usr/bin/node", "/srv/agent.mjs", "a  b", "", "\\u00fc\\n")], signature="(sasbttttuii)")),
    "slow_2eservice": service("slow.service"),
    "long_2eservice": service("long.service",
        ExecStart=A([command("/usr/bin/node", *["x" * 1000] * 100)], signature="(sasbttttuii)")),
}
class Unit(dbus.service.Object):
    def __init__(self, name):
        super().__init__(bus, "/org/freedesktop/systemd1/unit/" + name)
        self.name = name
    @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="ss", out_signature="v",
                         async_callbacks=("done", "fail"))
    def Get(self, interface, name, done, fail):
        if self.name != "slow_2eservice": done(UNITS[self.name][name])
units = [Unit(name) for name in UNITS]
name = dbus.service.BusName("org.freedesktop.systemd1", bus)
print("ready", flush=True)
GLib.MainLoop().run()
`;

const CONFIG = (path: string): string => `<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path=${path}</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>`;

const present = (["busctl", "dbus-daemon", "python3-dbus"] as const).map((name) => peer(name));

describe.skipIf(present.some((one) => !one.present))("busctl", () => {
  const children: ChildProcess[] = [];
  let folder = "";
  let address = "";

  /** Starts a program and waits for its first line. */
  async function start(file: string, args: readonly string[]): Promise<void> {
    const child = spawn(file, [...args], { stdio: ["ignore", "pipe", "ignore"], env: {} });
    children.push(child);
    const lines = createInterface(child.stdout);
    const [line] = (await Promise.race([once(lines, "line"), once(child, "exit")])) as [unknown];
    if (typeof line !== "string") throw new Error(`${file} ended`);
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bus-"));
    address = `unix:path=${join(folder, "bus")}`;
    await writeFile(join(folder, "bus.conf"), CONFIG(join(folder, "bus")));
    await writeFile(join(folder, "systemd.py"), SYSTEMD);
    const bus = [`--config-file=${join(folder, "bus.conf")}`, "--nofork", "--print-address"];
    await start(present[1]?.path ?? "", bus);
    await start(present[2]?.path ?? "", [join(folder, "systemd.py"), address]);
  });
  afterAll(async () => {
    for (const child of children) {
      if (child.exitCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await rm(folder, { recursive: true });
  });

  const ask = (unit: string): ReturnType<ReturnType<typeof askByBusctl>> =>
    askByBusctl({ address })(unit, { pid: 1, startTime: 1 });

  it("tells every word of a command as it is", async () => {
    expect(await ask("1-a@b\\x2dc.service")).toEqual({
      mainPid: 4711,
      isMainPidOwn: true,
      controlGroup: "/system.slice/1-a@b\\x2dc.service",
      command: {
        file: "/usr/bin/node",
        argv: ["/usr/bin/node", "/srv/agent.mjs", "a  b", "", "ü\n"],
      },
      files: [
        "/etc/systemd/system/1-a@b\\x2dc.service",
        "/etc/systemd/system/a.d/x.conf",
        "/etc/default/a",
      ],
    });
  });

  it("tells a command with a variable, which is not one", async () => {
    const word = await ask("mail.service");
    expect([word?.mainPid, word?.command]).toEqual([4711, undefined]);
  });

  it.each(["none.service", "slow.service", "long.service"])("says nothing of %s", async (unit) => {
    expect(await ask(unit)).toBeUndefined();
  });

  it("says nothing on another bus than systemd's", async () => {
    const alone = askByBusctl({ address: `unix:path=${join(folder, "none")}` });
    expect(await alone("mail.service", { pid: 1, startTime: 1 })).toBeUndefined();
  });
});
