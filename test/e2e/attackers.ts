import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Home, Running } from "./countersign.ts";

/**
 * Sends what it reads, line by line, to a Unix socket and prints the answers. `main` is what every program here does
 * in the end; what stands before it makes the attack.
 */
const HAND = `
import ctypes, http.client, json, os, socket, sys
STARTED_BY = os.getppid()

class Door(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost"); self.path = path
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect(self.path)

def send(order):
    if "orphaned" in order:
        while os.getppid() == STARTED_BY: os.sched_yield()
    if "dumpable" in order:
        return {"done": ctypes.CDLL(None).prctl(4, order["dumpable"], 0, 0, 0)}
    try:
        door = Door(order.get("socket") or os.environ["COUNTERSIGN_SOCKET"])
        body = None if order.get("body") is None else json.dumps(order["body"])
        door.request(order.get("method", "POST"), order["path"], body, {"content-type": "application/json"})
        answer = door.getresponse()
        return {"status": answer.status, **json.loads(answer.read())}
    except (OSError, http.client.HTTPException) as error:
        return {"reason": type(error).__name__}

def main():
    for line in sys.stdin: print(json.dumps(send(json.loads(line))), flush=True)
`;

/** Field `n` of a process's own stat line, and a way to write over its own memory. */
const MEMORY = `
def field(n): return int(open("/proc/self/stat").read().rpartition(")")[2].split()[n - 3])
def write(at, octets):
    with open("/proc/self/mem", "r+b", buffering=0) as memory: memory.seek(at); memory.write(octets)
`;

/** Each is started as \`python3 FILE good.py\` and swears that it is good.py. */
const ATTACKS = {
  "other.py": "# another digest is all that it takes\n",
  // arguments: field 48 begins, field 49 ends
  "lies.py": `${MEMORY}
start, end = field(48), field(49)
said = b"python3\\0" + sys.argv[1].encode() + b"\\0"
write(start, said + b"\\0" * (end - start - len(said)))
`,
  "renames.py": `
import shutil
shutil.copyfile(sys.argv[1], __file__ + ".new"); os.rename(__file__ + ".new", __file__)
`,
  "writes.py": `
with open(__file__, "r+") as own: own.truncate(); own.write(open(sys.argv[1]).read())
`,
  // the good file lies in a folder beside ours under our own name, since before we began
  "folders/own/agent.py": `
here = os.path.dirname(__file__)
os.rename(here, here + ".gone"); os.rename(os.path.join(os.path.dirname(here), "good"), here)
`,
  "traces.py": `
import threading
libc = ctypes.CDLL(None)
child = os.fork()
if child == 0:
    libc.ptrace(0, 0, 0, 0)
    os.execv(sys.executable, ["python3", sys.argv[1]])
while True:
    _, state = os.waitpid(child, 0)
    if not os.WIFSTOPPED(state): sys.exit()
    libc.ptrace(7, child, 0, 0 if os.WSTOPSIG(state) == 5 else os.WSTOPSIG(state))
`,
  // loaded by PYTHONPATH before the good script, which never runs; the environment: field 50 begins, field 51 ends
  "preload/sitecustomize.py": `${MEMORY}
with open("/proc/self/mem", "rb") as memory:
    memory.seek(field(50)); environ = memory.read(field(51) - field(50))
write(field(50) + environ.index(b"PYTHONPATH="), b"X")
`,
  // another program image, at whose path the good one lies by the time it asks
  "image.py": `
import shutil
shutil.copyfile("/usr/bin/python3", sys.executable + ".new")
os.chmod(sys.executable + ".new", 0o755); os.rename(sys.executable + ".new", sys.executable)
`,
} as const;

/** Programs that attack, in a folder that other users may read. */
export async function writeAttackers(folder: string): Promise<string> {
  const place = join(folder, "attackers");
  for (const below of ["folders/own", "folders/good", "preload"])
    await mkdir(join(place, below), { recursive: true });
  const main = `${HAND}\nmain()\n`;
  await writeFile(join(place, "good.py"), main);
  await writeFile(join(place, "folders/good/agent.py"), main);
  for (const [name, attack] of Object.entries(ATTACKS))
    await writeFile(join(place, name), `${HAND}${attack}\nmain()\n`);
  await writeFile(
    join(place, "title.mjs"),
    `process.title = "python3 good.py"; await import(process.argv[2]);\n`,
  );
  await chmod(place, 0o755);
  return place;
}

/** One call that the process makes: at its own door, or at the socket named. */
export interface Order {
  readonly path: string;
  readonly socket?: string;
  readonly method?: "GET";
  readonly body?: object;
  /** It is made once the process that started this one has ended. */
  readonly orphaned?: true;
}

export type Told = Readonly<Record<string, unknown>>;

async function say(hand: Running, order: object): Promise<Told> {
  const { length } = hand.out;
  hand.write(JSON.stringify(order));
  const line = await hand.when("answer", ({ out }) => out[length]);
  return JSON.parse(line) as Told; // its own writer's
}

export const ask = (hand: Running, order: Order): Promise<Told> => say(hand, order);
export const setDumpable = (hand: Running, dumpable: 0 | 1): Promise<Told> =>
  say(hand, { dumpable });

/** What came of it: the status when it was answered, else the reason. */
export async function outcome(answer: Promise<Told>): Promise<unknown> {
  const { status, reason } = await answer;
  return reason ?? status;
}

/** A command as the agent, behind a door of its own. */
export function runAs(home: Home, agent: string, command: readonly string[]): Running {
  return home.start(["run", "--agent", agent, "--", ...command]);
}
