import { agentEntryOf } from "../identifier/workload.ts";
import { Refusal } from "../refusal.ts";
import type { CredentialStatement } from "./statement.ts";

/** Of what and of whom a server says that a text is. */
export interface NamedRequest {
  /** Id of the registration. */
  readonly entry: string;
  /** Id of the proxy that asks. */
  readonly proxy: string;
  /** Ids of the owners who are asked. */
  readonly owners: readonly string[];
}

/**
 * Refuses a text that is not of the agent, host and owner under which it is shown: lists, titles and questions name
 * these, and whoever reads only those must not sign for another.
 * @throws Refusal `approval_unsuitable`
 */
export function checkNamedText(
  { agent, owner }: CredentialStatement,
  { entry, proxy, owners }: NamedRequest,
): void {
  const unsuitable = (why: string): never => {
    throw new Refusal("approval_unsuitable", why);
  };
  if (agentEntryOf(agent.id) !== entry) unsuitable("of another agent than it is named by");
  if (agent.host !== undefined && agent.host !== proxy)
    unsuitable("for another host than the one that asks");
  if (!owners.includes(owner.id)) unsuitable("made for another owner");
}
