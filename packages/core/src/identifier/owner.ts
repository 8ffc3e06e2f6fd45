import { Refusal } from "../refusal.ts";
import { parseTrustDomain } from "./workload.ts";

/** `urn:agent-owner:<td>:<opaque>`: never a workload identifier, never an e-mail address. */
export interface OwnerId {
  readonly id: string;
  readonly trustDomain: string;
  readonly opaque: string;
}

const OWNER = /^urn:agent-owner:([a-z0-9._-]{1,255}):([A-Za-z0-9_-]{8,64})$/;

/**
 * Reads an owner's id (formats 2).
 * @throws Refusal `invalid_identifier`
 */
export function parseOwnerId(text: unknown): OwnerId {
  const [id, td, opaque] = (typeof text === "string" ? OWNER.exec(text) : null) ?? [];
  if (id === undefined || td === undefined || opaque === undefined)
    throw new Refusal("invalid_identifier", "not urn:agent-owner:<td>:<opaque>");
  return Object.freeze({ id, trustDomain: parseTrustDomain(td), opaque });
}
