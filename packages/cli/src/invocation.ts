import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

const NAME = "countersign";

/** How this program was started. */
export interface Invocation {
  /** Absolute path of the file that Node was told to run, links as they are. */
  readonly file: string;
  /** This program's own executable file. */
  readonly executable: string;
  readonly cwd: string;
  readonly env: { readonly PATH?: string | undefined; readonly npm_command?: string | undefined };
}

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const isSame = (file: string, other: string): boolean =>
  existsSync(file) && existsSync(other) && realpathSync(file) === realpathSync(other);

/** Whether npx finds this program from the folder: anywhere else it would fetch a package of that name. */
function isNear(folder: string, executable: string): boolean {
  if (isSame(join(folder, "node_modules/.bin", NAME), executable)) return true;
  const above = dirname(folder);
  return above !== folder && isNear(above, executable);
}

/** The words that start this program again, typed into a shell in the same folder. */
export function invocationWords({ file, executable, cwd, env }: Invocation): readonly string[] {
  if (env.npm_command === "exec" && isNear(cwd, executable)) return ["npx", NAME];
  const named = (env.PATH ?? "").split(delimiter).map((folder) => join(folder, NAME));
  // npx puts folders on its own path that no shell has
  if (env.npm_command === undefined && isSame(named.find(isExecutable) ?? "", executable))
    return [NAME];
  return isExecutable(file) ? [file] : ["node", file];
}
