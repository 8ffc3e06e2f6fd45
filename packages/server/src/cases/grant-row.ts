import type { Grant, OwnerSignature, Statement } from "@countersign/core";
import { bundleKeyOf } from "./owner-chain.ts";
import type { AskRow, GrantRow, OwnerKeyRow } from "../store/rows.ts";

/** A grant as it is kept, with what its owner signed. */
export function grantRowOf(
  row: Pick<AskRow, "entry" | "proxy">,
  grant: Grant,
  statement: Statement,
  sig: OwnerSignature,
  key: Pick<OwnerKeyRow, "jwk" | "app" | "x5c">,
  chain: GrantRow["chain"],
): GrantRow {
  const { grant: bounds, agent, owner } = grant.statement;
  return {
    cs: grant.cs,
    agent: agent.id,
    entry: row.entry,
    proxy: row.proxy,
    owner: owner.id,
    ownerJkt: owner.jkt,
    ownerKind: grant.ownerKind,
    basis: grant.basis,
    assurance: grant.assurance,
    model: grant.model,
    statement: statement.bytes,
    signature: { ...sig },
    key: bundleKeyOf(key),
    ...(chain === undefined ? {} : { chain }),
    nbf: bounds.nbf,
    exp: bounds.exp,
    use: bounds.use,
    maxIssue: bounds.max_issue,
    maxLive: bounds.max_live,
    maxTtlSeconds: bounds.max_ttl,
    issued: 0,
  };
}
