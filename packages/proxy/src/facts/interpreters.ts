/** How one family of interpreters reads its command line, as far as it decides which file is run. */
export interface Interpreter {
  readonly name: string;
  /** File names of its executables. */
  readonly names: RegExp;
  /** Options whose value is the next argument. */
  readonly valued: RegExp;
  /** Arguments that put code elsewhere than into a script file: text, a module, standard input, a prompt. */
  readonly codeElsewhere: RegExp;
  /** Options whose value is the script. */
  readonly scriptOptions: RegExp;
  /** First words that are no script: `stop` runs something else, `skip` is followed by the script. */
  readonly words: Readonly<Record<string, "stop" | "skip">>;
  /** What the script's name must look like, where other words mean something else. */
  readonly script: RegExp;
  /** What begins an option; the script is the first argument that does not. */
  readonly option: RegExp;
}

/** Exactly one of these names, which are separated by spaces. */
function oneOf(names: string): RegExp {
  return new RegExp(`^(?:${names.replaceAll(".", "\\.").replaceAll(" ", "|")})$`);
}
const NONE = /(?!)/;

const COMMON = {
  valued: NONE,
  codeElsewhere: /^(?:-|-[a-zA-Z]*e.*|--eval.*)$/s,
  scriptOptions: NONE,
  words: {},
  script: /^/,
  option: /^-/,
} as const;

/** One row each; a program whose file name or digest is one of these is measured by its script as well. */
export const INTERPRETERS: readonly Interpreter[] = [
  {
    ...COMMON,
    name: "node",
    names: /^node(?:js)?-?[0-9.]*$/,
    valued: oneOf(
      "-r --require --import --loader --experimental-loader -C --conditions " +
        "--env-file --env-file-if-exists --title --icu-data-dir --openssl-config " +
        "--stack-trace-limit --max-http-header-size --inspect-port --input-type " +
        "--redirect-warnings --trace-event-categories --unhandled-rejections",
    ),
    codeElsewhere:
      /^(?:-|-[ceipv]|-pe|--(?:eval|print|interactive|check|test|run|watch)(?:[=-].*)?)$/s,
    words: { inspect: "stop", debug: "stop" },
  },
  {
    ...COMMON,
    name: "python",
    names: /^(?:python|pypy)[0-9.]*[tdw]?(?:-c)?$/,
    valued: oneOf("-W -X --check-hash-based-pycs"),
    codeElsewhere: /^(?:-|-(?![WX])[a-zA-Z]*[cmi].*)$/s,
  },
  {
    ...COMMON,
    name: "perl",
    names: /^perl[0-9.]*$/,
    valued: oneOf("-I"),
    codeElsewhere: /^(?:-|-(?![IMmCDixV])[a-zA-Z0-9]*[eE].*)$/s,
  },
  {
    ...COMMON,
    name: "ruby",
    names: /^(?:ruby|jruby|truffleruby)[0-9.]*$/,
    valued: oneOf("-I -r -C -E --encoding"),
    codeElsewhere: /^(?:-|-(?![IrCEKTWxF])[a-zA-Z]*[eS].*)$/s,
  },
  {
    ...COMMON,
    name: "shell",
    names: /^(?:ba|da|a|z|k|mk|pdk|fi)?sh$/,
    valued: /^(?:[-+][a-zA-Z]*[oO]|--rcfile|--init-file)$/,
    codeElsewhere: /^(?:-|-(?!-)(?![oO])[a-zA-Z]*[csi].*|--command.*)$/s,
    option: /^[-+]/,
  },
  {
    ...COMMON,
    name: "java",
    names: /^java$/,
    valued: oneOf(
      "-cp -classpath --class-path -p --module-path --upgrade-module-path " +
        "--add-modules --add-reads --add-exports --add-opens --enable-native-access " +
        "--limit-modules --patch-module --source",
    ),
    codeElsewhere: /^(?:-m|--module(?:=.*)?|@.*)$/s,
    scriptOptions: oneOf("-jar"),
    script: /\.(?:jar|java)$/,
    option: /^[-@]/,
  },
  {
    ...COMMON,
    name: "deno",
    names: /^deno$/,
    valued: oneOf("-c --config --import-map --lock --cert -L --log-level"),
    codeElsewhere: /^(?:-|-i|--interactive)$/,
    words: {
      run: "skip",
      eval: "stop",
      repl: "stop",
      task: "stop",
      test: "stop",
      serve: "stop",
    },
    script: /^(?![a-z]+:)/,
  },
  {
    ...COMMON,
    name: "bun",
    names: /^bunx?$/,
    valued: oneOf("-r --preload -c --config --cwd --env-file --tsconfig-override"),
    codeElsewhere: /^(?:-|-[ep]|--(?:eval|print)(?:=.*)?)$/s,
    words: { run: "skip", x: "stop", exec: "stop", repl: "stop", test: "stop", create: "stop" },
  },
  {
    ...COMMON,
    name: "php",
    names: /^php(?:-cgi)?[0-9.]*$/,
    valued: oneOf("-d -c -z -t --define --php-ini"),
    codeElsewhere: /^(?:-|-[raiSBREF].*|--(?:run|interactive|server|process-).*|--)$/s,
    scriptOptions: oneOf("-f --file"),
  },
  {
    ...COMMON,
    name: "dotnet",
    names: /^dotnet$/,
    valued: oneOf("--additionalprobingpath --depsfile --runtimeconfig --fx-version"),
    words: { exec: "skip" },
    script: /\.(?:dll|exe)$/,
  },
  { ...COMMON, name: "lua", names: /^(?:lua|luajit)[0-9.-]*$/, valued: oneOf("-l") },
  {
    ...COMMON,
    name: "tcl",
    names: /^(?:tclsh|wish|expect)[0-9.]*$/,
    codeElsewhere: /^(?:-|-[cs].*)$/s,
  },
  // a program that is given to the dynamic loader runs under the loader's name
  {
    ...COMMON,
    name: "loader",
    names:
      /^(?:ld-linux[\w.-]*\.so(?:\.[0-9]+)?|ld-musl[\w.-]*\.so(?:\.[0-9]+)?|ld-[0-9.]+\.so|ld\.so)$/,
    valued: oneOf(
      "--library-path --inhibit-rpath --preload --audit --argv0 " +
        "--glibc-hwcaps-prepend --glibc-hwcaps-mask",
    ),
    codeElsewhere: /^-$/,
  },
  // many programs in one file: nothing that its command line says is measured
  { ...COMMON, name: "busybox", names: /^(?:busybox|toybox)[\w.-]*$/, codeElsewhere: /^/ },
];

/** Where interpreters lie on usual hosts; a copy of one under another name is known by its digest. */
export const KNOWN_PLACES: readonly string[] = ["/usr/bin", "/usr/local/bin", "/bin"].flatMap(
  (dir) =>
    "node nodejs python3 python perl ruby bash sh dash zsh ksh java deno bun php lua tclsh dotnet busybox"
      .split(" ")
      .map((name) => `${dir}/${name}`),
);

/** What a command line says about the script. */
export type CommandLine =
  | { readonly says: "script"; readonly path: string; readonly options: readonly string[] }
  | {
      readonly says: "elsewhere";
      readonly why: string;
      readonly options: readonly string[];
      /** The option that brings the code, with its value. */
      readonly code?: string;
    };

/** The option without its value, which may be code or anything else: fit for a log line. */
export function optionName(option: string): string {
  return (/^--[\w-]{1,60}|^[^]{0,2}/.exec(option)?.[0] ?? "").replaceAll(/[^ -~]/g, "?");
}

/** Options looked at before the script. */
const MAX_OPTIONS = 64;

/**
 * Finds the script in an interpreter's arguments, and the options before it, an option with a value in the next
 * argument as `name value`. Pure. What it finds is what the process states about itself (basis `argv`).
 * @param args all arguments, the program's name first
 */
export function readCommandLine(kind: Interpreter, args: readonly string[]): CommandLine {
  const options: string[] = [];
  const elsewhere = (why: string): CommandLine => ({ says: "elsewhere", why, options });
  let skipped = false;
  for (let at = 1; at < args.length && options.length < MAX_OPTIONS; at += 1) {
    const arg = args[at] ?? "";
    const next = args[at + 1];
    const value = next === undefined ? arg : `${arg} ${next}`;
    if (kind.scriptOptions.test(arg))
      return next === undefined ? elsewhere(arg) : { says: "script", path: next, options };
    if (kind.codeElsewhere.test(arg))
      return {
        says: "elsewhere",
        why: optionName(arg),
        options,
        ...(arg === "-" ? {} : { code: value }),
      };
    if (arg === "--") return scriptAt(kind, next, options);
    if (kind.option.test(arg)) {
      const takesNext = kind.valued.test(arg);
      options.push(takesNext ? value : arg);
      if (takesNext) at += 1;
      continue;
    }
    const word = skipped || !Object.hasOwn(kind.words, arg) ? undefined : kind.words[arg];
    if (word === "stop") return elsewhere(arg);
    if (word === undefined) return scriptAt(kind, arg, options);
    skipped = true;
  }
  return elsewhere("no script is named");
}

function scriptAt(
  kind: Interpreter,
  path: string | undefined,
  options: readonly string[],
): CommandLine {
  if (path === undefined || path === "" || !kind.script.test(path))
    return { says: "elsewhere", why: "no script file is named", options };
  return { says: "script", path, options };
}
