import { Refusal } from "@countersign/core";
import { splitNul } from "./proc.ts";

/** Variables that make a program load code which no measurement sees. */
const FORBIDDEN =
  /^(?:LD_.*|NODE_OPTIONS|NODE_PATH|PYTHON.*|PERL5OPT|PERL5LIB|PERL5DB|RUBYOPT|RUBYLIB|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|BASH_ENV|GCONV_PATH)$/s;

/**
 * Refuses an environment that holds a loader variable, with whatever value. It is memory that the process can
 * write: this stops accidents and inherited settings, not a process that lies about itself.
 * @param environ the block of `/proc/PID/environ`
 * @param whole false when it was longer than what is read
 * @throws Refusal `loader_forbidden` with the name of the variable, never its value
 */
export function checkEnvironment(environ: Uint8Array, whole: boolean): void {
  if (!whole) throw new Refusal("loader_forbidden", "the environment is too large to be checked");
  for (const variable of splitNul(environ)) {
    const text = Buffer.from(variable).toString("latin1");
    const name = text.slice(0, Math.max(0, text.indexOf("=")));
    if (FORBIDDEN.test(name))
      throw new Refusal("loader_forbidden", `variable ${JSON.stringify(name.slice(0, 64))}`);
  }
}
