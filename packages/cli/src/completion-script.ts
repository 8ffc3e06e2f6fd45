/** A word of the command line that can be completed, with what may follow it. */
export interface Word {
  readonly name: string;
  readonly about: string;
  /** Long options, with their dashes. */
  readonly options: readonly { readonly name: string; readonly about: string }[];
  readonly verbs: readonly Word[];
}

export type Shell = "bash" | "zsh" | "fish";
export const SHELLS: readonly Shell[] = ["bash", "zsh", "fish"];

/** Options that may stand anywhere. */
const EVERYWHERE: Word["options"] = [
  { name: "--json", about: "print one JSON document instead of words" },
  { name: "--data", about: "data directory of the server and proxy meant" },
  { name: "--help", about: "how it is used" },
];

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function namesOf(word: Pick<Word, "options" | "verbs">): string {
  const options = [...word.options, ...EVERYWHERE].map(({ name }) => name);
  return [...new Set([...word.verbs.map(({ name }) => name), ...options])].join(" ");
}

/** Finds noun and verb before the cursor; both shells with `case` share it. Behind `--` nothing is ours. */
function walk(words: string, until: string, first: number): string {
  return `  local noun= verb= word= i
  for ((i = ${first}; i < ${until}; i++)); do
    word="${words}"
    case "$word" in
      --) return ;;
      --data) i=$((i + 1)) ;;
      -*) ;;
      *) if [[ -z "$noun" ]]; then noun="$word"; elif [[ -z "$verb" ]]; then verb="$word"; fi ;;
    esac
  done`;
}

function bash(nouns: readonly Word[]): string {
  const cases = nouns.flatMap((noun) => [
    ...noun.verbs.map((verb) => `    ${noun.name}:${verb.name}) words=${quote(namesOf(verb))} ;;`),
    `    ${noun.name}:${noun.verbs.length === 0 ? "*" : ""}) words=${quote(namesOf(noun))} ;;`,
  ]);
  return `# bash completion of countersign: eval "$(countersign completion bash)"
_countersign() {
  COMPREPLY=()
${walk("${COMP_WORDS[i]}", "COMP_CWORD", 1)}
  local words=
  case "$noun:$verb" in
    :) words=${quote(namesOf({ verbs: nouns, options: [] }))} ;;
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _countersign countersign
`;
}

function zshItems(word: Pick<Word, "options" | "verbs">): string {
  const items = [...word.verbs, ...word.options, ...EVERYWHERE];
  const unique = items.filter((item, i) => items.findIndex((one) => one.name === item.name) === i);
  return unique
    .map(({ name, about }) => quote(`${name}:${about.replaceAll(":", "\\:")}`))
    .join(" ");
}

function zsh(nouns: readonly Word[]): string {
  const cases = nouns.flatMap((noun) => [
    ...noun.verbs.map((verb) => `    ${noun.name}:${verb.name}) items=(${zshItems(verb)}) ;;`),
    `    ${noun.name}:${noun.verbs.length === 0 ? "*" : ""}) items=(${zshItems(noun)}) ;;`,
  ]);
  return `#compdef countersign
# zsh completion of countersign: source <(countersign completion zsh)
_countersign() {
  local -a items
${walk("${words[i]}", "CURRENT", 2)}
  case "$noun:$verb" in
    :) items=(${zshItems({ verbs: nouns, options: [] })}) ;;
${cases.join("\n")}
  esac
  _describe -t commands countersign items || _files
}
compdef _countersign countersign
`;
}

function fish(nouns: readonly Word[]): string {
  const line = (condition: string, what: string, about: string): string =>
    `complete -c countersign -n ${quote(condition)} ${what} -d ${quote(about)}`;
  const option = (condition: string, { name, about }: Word["options"][number]): string =>
    line(condition, `-l ${name.replace(/^--/, "")}`, about);
  const lines = nouns.flatMap((noun) => {
    const seen = `__fish_seen_subcommand_from ${noun.name}`;
    const verbs = noun.verbs.map(({ name }) => name).join(" ");
    const isFirst = verbs === "" ? seen : `${seen}; and not __fish_seen_subcommand_from ${verbs}`;
    return [
      line("__fish_use_subcommand", `-a ${noun.name}`, noun.about),
      ...noun.verbs.map((verb) => line(isFirst, `-a ${verb.name}`, verb.about)),
      ...noun.options.map((one) => option(isFirst, one)),
      ...noun.verbs.flatMap((verb) =>
        verb.options.map((one) =>
          option(`${seen}; and __fish_seen_subcommand_from ${verb.name}`, one),
        ),
      ),
    ];
  });
  const everywhere = EVERYWHERE.map(
    ({ name, about }) =>
      `complete -c countersign -l ${name.slice(2)}${name === "--data" ? " -r" : ""} -d ${quote(about)}`,
  );
  return `# fish completion of countersign: countersign completion fish | source
${[...lines, ...everywhere].join("\n")}
`;
}

const WRITERS: Readonly<Record<Shell, (nouns: readonly Word[]) => string>> = { bash, zsh, fish };

/** The completion script of a shell for these nouns. */
export function completionScript(shell: Shell, nouns: readonly Word[]): string {
  return WRITERS[shell](nouns);
}
