import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isInterpreterPath } from "@countersign/core";
import { INTERPRETERS, optionName, readCommandLine } from "./interpreters.ts";
import { interpreterByName } from "./script.ts";

function read(command: string): string {
  const args = command.split(" ");
  const kind = interpreterByName(args[0] ?? "");
  if (kind === undefined) return "a program";
  const line = readCommandLine(kind, args);
  const options = line.options.map((option) => `[${option}]`).join("");
  return line.says === "script" ? `${options}${line.path}` : `${options}elsewhere`;
}

describe("which file an interpreter's command line names", () => {
  it.each([
    ["node agent.mjs", "agent.mjs"],
    ["/usr/bin/node agent.mjs -e x", "agent.mjs"],
    ["node --enable-source-maps agent.mjs", "[--enable-source-maps]agent.mjs"],
    ["node --require x.cjs agent.mjs", "[--require x.cjs]agent.mjs"],
    ["node --require=x.cjs agent.mjs", "[--require=x.cjs]agent.mjs"],
    ["node -r x.cjs --import y.mjs agent.mjs", "[-r x.cjs][--import y.mjs]agent.mjs"],
    ["node -- -x.mjs", "-x.mjs"],
    ["node --no-warnings -- agent.mjs", "[--no-warnings]agent.mjs"],
    ["node -e 1 agent.mjs", "elsewhere"],
    ["node --eval=1 agent.mjs", "elsewhere"],
    ["node -p 1", "elsewhere"],
    ["node -pe 1", "elsewhere"],
    ["node --require x.cjs -e 1", "[--require x.cjs]elsewhere"],
    ["node - agent.mjs", "elsewhere"],
    ["node -i agent.mjs", "elsewhere"],
    ["node inspect agent.mjs", "elsewhere"],
    ["node --run start", "elsewhere"],
    ["node --", "elsewhere"],
    ["node --require", "[--require]elsewhere"],
    ["node", "elsewhere"],
    ["python3 agent.py -c x", "agent.py"],
    ["python3.11 -u -W ignore agent.py", "[-u][-W ignore]agent.py"],
    ["python3 -Wignore -OO agent.py", "[-Wignore][-OO]agent.py"],
    ["python3 -c import agent.py", "elsewhere"],
    ["python3 -m agent", "elsewhere"],
    ["python3 -um agent", "elsewhere"],
    ["python3 -Bc 1", "elsewhere"],
    ["python3 -i agent.py", "elsewhere"],
    ["perl -w agent.pl", "[-w]agent.pl"],
    ["perl -we 1", "elsewhere"],
    ["perl -l0e 1", "elsewhere"],
    ["perl -Mmodule agent.pl", "[-Mmodule]agent.pl"],
    ["ruby -W0 agent.rb", "[-W0]agent.rb"],
    ["ruby -r x agent.rb", "[-r x]agent.rb"],
    ["ruby -e 1", "elsewhere"],
    ["bash agent.sh -c x", "agent.sh"],
    ["bash -c agent.sh", "elsewhere"],
    ["bash -lc agent.sh", "elsewhere"],
    ["sh -s agent.sh", "elsewhere"],
    ["bash -euo pipefail agent.sh", "[-euo pipefail]agent.sh"],
    ["bash +x agent.sh", "[+x]agent.sh"],
    ["dash agent.sh", "agent.sh"],
    ["java -jar agent.jar", "agent.jar"],
    ["java -Xmx1g -jar agent.jar", "[-Xmx1g]agent.jar"],
    ["java -cp x.jar Main", "[-cp x.jar]elsewhere"],
    ["java Agent.java", "Agent.java"],
    ["java @args agent.jar", "elsewhere"],
    ["deno run -A agent.ts", "[-A]agent.ts"],
    ["deno run https://x/agent.ts", "elsewhere"],
    ["deno eval 1", "elsewhere"],
    ["bun run agent.ts", "agent.ts"],
    ["bun agent.ts", "agent.ts"],
    ["bun run run", "run"],
    ["bun x agent", "elsewhere"],
    ["php agent.php", "agent.php"],
    ["php -f agent.php", "agent.php"],
    ["php -r 1", "elsewhere"],
    ["dotnet agent.dll", "agent.dll"],
    ["dotnet run", "elsewhere"],
    ["lua -l x agent.lua", "[-l x]agent.lua"],
    ["ld-linux-x86-64.so.2 --preload /x.so /opt/agent", "[--preload /x.so]/opt/agent"],
    ["busybox sh agent.sh", "elsewhere"],
    ["agent -e 1", "a program"],
  ])("%s → %s", (command, wanted) => {
    expect(read(command)).toBe(wanted);
  });

  it("looks at a bounded number of options", () => {
    expect(read(`node ${"--no-warnings ".repeat(100)}agent.mjs`)).toMatch(/elsewhere$/);
  });

  it("answers for every command line (property)", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("-", "--", "-c", "-e", "run", "-o", "constructor"),
    );
    fc.assert(
      fc.property(fc.constantFrom(...INTERPRETERS), fc.array(word), (kind, args) => {
        const line = readCommandLine(kind, args);
        if (line.says === "script") expect(args.slice(1)).toContain(line.path);
        for (const option of line.options) expect(args.join(" ")).toContain(option);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it("core knows every interpreter by name that is known here", () => {
    const names =
      "node nodejs node20 python python3 python3.11 pypy3 perl perl5.36 ruby jruby sh bash dash ash zsh ksh mksh fish java deno bun php php8.2 dotnet lua lua5.4 luajit tclsh expect busybox ld-linux-x86-64.so.2 ld-musl-x86_64.so.1";
    const unknown = names
      .split(" ")
      .filter((name) => interpreterByName(name) === undefined || !isInterpreterPath(`/x/${name}`));
    expect(unknown).toEqual([]);
    expect(
      ["nodemon", "pythonic", "bashful", "agent"].filter((name) => interpreterByName(name)),
    ).toEqual([]);
  });

  it("names an option without its value", () => {
    expect(
      ["--token=secret", "-csecret", "-W x", "", "-\u0007"].map((one) => optionName(one)),
    ).toEqual(["--token", "-c", "-W", "", "-?"]);
  });
});
