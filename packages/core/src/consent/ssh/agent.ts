import type { Bytes } from "../../crypto.ts";
import { concat } from "../../bytes.ts";
import { Refusal } from "../../refusal.ts";
import { SshReader, sshString, sshUint32 } from "./wire.ts";

// draft-ietf-sshm-ssh-agent section 5.1; each message is preceded by its length.
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const MAX_IDENTITIES = 64;
/** The longest answer that is read from an ssh-agent. */
export const MAX_AGENT_MESSAGE_BYTES = 262_144;

/** A key that an ssh-agent holds. */
export interface AgentIdentity {
  readonly blob: Bytes;
  readonly comment: string;
}

function framed(...parts: readonly Bytes[]): Bytes {
  return sshString(concat(...parts));
}

/** Asks an ssh-agent for its keys. */
export function agentListRequest(): Bytes {
  return framed(Uint8Array.of(REQUEST_IDENTITIES));
}

/** Asks an ssh-agent to sign data with one of its keys. */
export function agentSignRequest(blob: Bytes, data: Bytes): Bytes {
  return framed(Uint8Array.of(SIGN_REQUEST), sshString(blob), sshString(data), sshUint32(0));
}

/**
 * How many octets the whole message has whose first octets are given, its length included; `undefined` while
 * fewer than four are there.
 * @throws Refusal `too_large`
 */
export function agentMessageLength(received: Bytes): number | undefined {
  if (received.length < 4) return undefined;
  const length = new SshReader(received, "signature_invalid").uint32();
  if (length > MAX_AGENT_MESSAGE_BYTES) throw new Refusal("too_large", "ssh-agent message");
  return length + 4;
}

function openMessage(message: Bytes, type: number, why: string): SshReader {
  const reader = new SshReader(message, "signature_invalid");
  if (reader.uint32() !== message.length - 4) reader.fail("ssh-agent message of another length");
  if (reader.uint8() !== type) reader.fail(why);
  return reader;
}

/**
 * The keys in an ssh-agent's answer.
 * @throws Refusal `signature_invalid`
 */
export function readAgentIdentities(message: Bytes): readonly AgentIdentity[] {
  const reader = openMessage(message, IDENTITIES_ANSWER, "the ssh-agent lists no keys");
  const count = reader.uint32();
  if (count > MAX_IDENTITIES) reader.fail("the ssh-agent holds too many keys");
  const identities: AgentIdentity[] = [];
  for (let i = 0; i < count; i += 1)
    identities.push({ blob: reader.string(), comment: reader.text(1024) });
  reader.end();
  return identities;
}

/**
 * The signature in an ssh-agent's answer: the inner signature of an SSHSIG.
 * @throws Refusal `signature_invalid`, also when the agent refuses to sign
 */
export function readAgentSignature(message: Bytes): Bytes {
  const reader = openMessage(message, SIGN_RESPONSE, "the ssh-agent did not sign");
  const signature = reader.string();
  reader.end();
  return signature;
}
