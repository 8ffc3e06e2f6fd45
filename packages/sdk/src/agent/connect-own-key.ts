import { agentOf, doorOf, sessionOptions } from "./connect.ts";
import type { Agent, ConnectOptions } from "./connect.ts";
import { OwnKeySession } from "./own-key-session.ts";
import type { Platform } from "./own-key-session.ts";
import type { TlsSource } from "./tls-identity.ts";

/** This process, with a credential whose key is its own: for mutual TLS, beside all that an `Agent` does. */
export interface OwnKeyAgent extends Agent, TlsSource {}

/** The proxy may have told of a stop while nobody listened. A proxy that cannot be asked is not a stop. */
async function haltIfStopped(agent: Agent, session: OwnKeySession): Promise<void> {
  const { state } = await agent.status();
  if (state === "halted") session.halted();
}

/**
 * As `connect`, for an agent that is registered with `--own-key`: the key is made here, is in this process's memory
 * only, and is another one at each renewal, which this process asks for itself. Proofs are made here too, for any
 * address: the proxy bounds them no longer, what the owner signed does. After a stop key and certificate are gone.
 * @param platform for tests
 * @throws Refusal as `connect`, and `custody_mismatch` where the registration leaves the key to the proxy
 */
export async function connectWithOwnKey(
  options: ConnectOptions = {},
  platform?: Platform,
): Promise<OwnKeyAgent> {
  const door = doorOf(options);
  const session = new OwnKeySession(door, sessionOptions(options), platform);
  const { id } = await session.credential(options.signal);
  const agent = agentOf(id, door, session, options, (opened) => haltIfStopped(opened, session));
  return {
    ...agent,
    tlsIdentity: session.tlsIdentity,
    onTlsIdentity: session.onTlsIdentity,
    close: () => {
      agent.close();
      session.close();
    },
  };
}
