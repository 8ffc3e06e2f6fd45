import {
  base64url,
  entryId,
  isObject,
  Members,
  readJwk,
  readX5c,
  Refusal,
} from "@countersign/core";
import type { Json, JsonObject, OwnerKind } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import type { Endpoint, Routes } from "@countersign/node";
import { approve, deniedOf, deny } from "../cases/approve.ts";
import { findAsk, noteOf } from "../cases/asked.ts";
import { sinceLastApproval } from "../cases/last-approval.ts";
import { openRequest } from "../cases/open-request.ts";
import type { Opening } from "../cases/open-request.ts";
import { addKey, findOwner, offerKey } from "../cases/owners.ts";
import { removeKey } from "../cases/remove-key.ts";
import { unblock } from "../cases/unblock.ts";
import { resumeKey } from "../cases/owner-counter.ts";
import type { CoSignature } from "../cases/owner-chain.ts";
import type { PostedKey } from "../cases/owners.ts";
import type { OwnerFeed } from "../feed/owner-feed.ts";
import type { AskRow, OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import {
  askView,
  deniedView,
  diffView,
  digitsView,
  partiesView,
  statementView,
} from "./ask-view.ts";
import { announce, changeStarters, starters } from "./expectations.ts";
import { habits } from "./habits.ts";
import { keyView, ownerView } from "./owner-view.ts";
import { passkeyRoutes } from "./passkeys.ts";

const MAX_BODY_BYTES = 65_536;
const MAX_CO_SIGNATURES = 3;
const KINDS: readonly OwnerKind[] = ["person", "device", "policy"];

type OwnerCall = Endpoint<object>;

const body = async (request: Request): Promise<JsonObject> => readJsonBody(request, MAX_BODY_BYTES);
const query = (request: Request, name: string): string | undefined =>
  new URL(request.url).searchParams.get(name) ?? undefined;

/** A question; with an opening, also the statement made for its key, or what it would say once digits were typed. */
async function questionView(w: World, id: string, opening?: Opening): Promise<JsonObject> {
  const row = await findAsk(w, id);
  const note = row.request === undefined ? undefined : await noteOf(w, row.request);
  const view = {
    ...askView(row),
    ...(await partiesView(w, row)),
    ...(await digitsView(w, row)),
    facts: row.facts,
    appraisal: row.appraisal,
    ...(row.state === "denied" ? deniedView(await deniedOf(w, row)) : {}),
    ...(note === undefined ? {} : { claimed: { note } }),
  };
  if (opening === undefined) return view;
  const opened = await openRequest(w, row.req, opening);
  const shown = "statement" in opened ? opened.statement.body : opened.draft;
  const diff = await sinceLastApproval(w, row.entry, shown);
  return {
    ...view,
    ...(diff === undefined ? {} : { diff: diffView(diff) }),
    ...statementView(opened),
    request: opened.request,
  };
}

/**
 * A question, and with `jkt` the statement made for that key, unless digits have to be typed first: those are posted,
 * so that no address holds them and nothing between sends them twice.
 * @param by who acts without a signature, as the log names him
 */
export const openForOwner =
  (w: World, by: string): OwnerCall =>
  async (request, _context, { id = "" }) => {
    const jkt = query(request, "jkt");
    if (query(request, "match") !== undefined)
      throw new Refusal("malformed_request", "digits in an address", "Post them to …/statement.");
    if (jkt === undefined) return json(await questionView(w, id));
    const isElsewhere = query(request, "elsewhere") === "1";
    return json(await questionView(w, id, { jkt, isElsewhere, by }));
  };

/**
 * The same with what was typed of the digits that the agent's terminal shows. Wrong ones are counted.
 * @param by who acts without a signature, as the log names him
 * @param mayName refuses a key that is not this caller's to name
 */
export const openWithDigits =
  (
    w: World,
    by: string,
    mayName: (jkt: string) => Promise<void> = () => Promise.resolve(),
  ): OwnerCall =>
  async (request, _context, { id = "" }) => {
    const posted = new Members(await body(request), "malformed_request", "digits");
    const opening = {
      jkt: posted.thumbprint("jkt"),
      match: posted.text("match", { maxLength: 16 }),
      isElsewhere: posted.has("elsewhere") && posted.flag("elsewhere"),
      by,
    };
    posted.end();
    await mayName(opening.jkt);
    return json(await questionView(w, id, opening));
  };

/** A decision: approving is a signature of the owner, whoever posts it. */
export const decide =
  (w: World, by: string, key?: string): OwnerCall =>
  async (request, _context, { id }) => {
    const posted = new Members(await body(request), "malformed_request", "decision");
    const decision = posted.choice("decision", ["approve", "deny"] as const);
    if (decision === "deny") {
      posted.end();
      const known = await deny(w, id ?? "", by, key === undefined ? {} : { key });
      return json({ state: "denied", ...deniedView(known) });
    }
    const sig = posted.raw("sig");
    const statement = posted.text("statement", { maxLength: 12_000 });
    posted.end();
    if (!isObject(sig)) throw new Refusal("malformed_request", "sig is not an object");
    return json({ ...(await approve(w, id ?? "", { statement, sig })) });
  };

/** Denies, and the agent does not ask again before the owner lets it. */
export const block =
  (w: World, by: string, key?: string): OwnerCall =>
  async (request, _context, { id }) => {
    new Members(await body(request), "malformed_request", "block").end();
    await deny(w, id ?? "", by, { isBlocking: true, ...(key === undefined ? {} : { key }) });
    return json({ state: "denied", blocked: true });
  };

const offer =
  (w: World): OwnerCall =>
  async (request) => {
    const posted = new Members(await body(request), "malformed_request", "key");
    const app = posted.optional("app", (name) => posted.text(name, { maxLength: 255 }));
    const given = {
      name: posted.text("name", { maxLength: 64 }),
      kind: posted.choice("kind", KINDS),
      jwk: readJwk(posted.raw("jwk")),
      ...(app === undefined ? {} : { app }),
    };
    posted.end();
    const offered = await offerKey(w, given);
    return json({
      owner: ownerView(offered.owner),
      jcs: base64url(offered.statement.bytes),
      digest: offered.statement.cs,
    });
  };

/** A co-signature: whose it is, and the signature. @throws Refusal `malformed_request` */
export function readCoSignature(value: Json, where: string): CoSignature {
  const members = new Members(value, "malformed_request", where);
  const sig = members.raw("sig");
  const jkt = members.thumbprint("jkt");
  members.end();
  if (!isObject(sig)) throw new Refusal("malformed_request", "sig is not an object");
  return { jkt, sig };
}

/**
 * A signed key statement as it is posted.
 * @throws Refusal `malformed_request`
 */
export async function readPostedKey(
  request: Request,
  { mayBeCertified = false }: { readonly mayBeCertified?: boolean } = {},
): Promise<PostedKey> {
  const posted = new Members(await body(request), "malformed_request", "key");
  const sig = posted.raw("sig");
  const x5c = mayBeCertified ? posted.optional("x5c", (name) => readX5c(posted, name)) : undefined;
  const given = {
    statement: posted.text("statement", { maxLength: 12_000 }),
    comment: posted.text("comment", { maxLength: 200, minLength: 0 }),
    coSignatures:
      posted.optional("co_signatures", (name) =>
        posted.list(name, readCoSignature, MAX_CO_SIGNATURES),
      ) ?? [],
  };
  posted.end();
  if (!isObject(sig)) throw new Refusal("malformed_request", "sig is not an object");
  return { ...given, sig, ...(x5c === undefined ? {} : { x5c }) };
}

/** A key that was enrolled. */
export function enrolledView({ owner, jkt, jwk, kind, basis }: OwnerKeyRow): JsonObject {
  return { owner, jkt, jwk: { ...jwk }, kind, basis };
}

const enrolKey =
  (w: World): OwnerCall =>
  async (request) =>
    json(enrolledView(await addKey(w, await readPostedKey(request, { mayBeCertified: true }))));

async function owners(w: World): Promise<Response> {
  const rows = await w.store.owners();
  const withKeys = rows.map(async (row) => ({
    ...ownerView(row),
    keys: (await w.store.ownerKeys(row.id)).map((key) => keyView(w, key)),
  }));
  return json({ owners: await Promise.all(withKeys) });
}

/** Decided questions of one answer at most. */
const MAX_DECIDED = 1000;

/** How many decided questions are asked for too: `decided`, or `all=1` for as many as there may be. */
function decidedOf(request: Request): number {
  const typed = query(request, "decided");
  if (typed === undefined) return query(request, "all") === "1" ? MAX_DECIDED : 0;
  if (!/^(0|[1-9][0-9]{0,3})$/.test(typed) || Number(typed) > MAX_DECIDED)
    throw new Refusal("malformed_request", `decided is a number, at most ${MAX_DECIDED}`);
  return Number(typed);
}

/**
 * Questions to one owner, or to all, that wait, and the newest decided ones where they are asked for; newest first.
 * @param more what else is said of each
 * @throws Refusal `malformed_request`
 */
export async function listRequests(
  w: World,
  request: Request,
  owner: string | undefined,
  more: (row: AskRow) => Promise<JsonObject> = () => Promise.resolve({}),
): Promise<JsonObject> {
  const count = decidedOf(request);
  const of = owner === undefined ? {} : { owner };
  const waiting = await w.store.asks({ ...of, state: "asked" });
  const decided = count === 0 ? [] : await w.store.decidedAsks(owner, count);
  // one that is decided between the two reads is there once, as decided
  const byReq = new Map([...waiting, ...decided].map((row) => [row.req, row]));
  const rows = [...byReq.values()].toSorted(
    (one, two) => two.createdAt - one.createdAt || (one.req < two.req ? -1 : 1),
  );
  const views = rows.map(async (row) => ({
    ...askView(row),
    ...(await partiesView(w, row)),
    ...(await more(row)),
  }));
  return { requests: await Promise.all(views) };
}

async function inbox(w: World, request: Request): Promise<Response> {
  const named = query(request, "owner");
  const owner = named === undefined ? undefined : (await findOwner(w, named)).id;
  return json(await listRequests(w, request, owner));
}

/**
 * The calls of owners (owner.md 1.6).
 * @param by who acts without a signature, as the log names him
 * @param feed what the streams of owners are made of
 */
export function ownerRoutes(w: World, by: string, feed: OwnerFeed): Routes<object> {
  return {
    "GET /v1/owner/events": async (request) => {
      const { id } = await findOwner(w, query(request, "owner") ?? "");
      return feed.open(
        { owner: id },
        request.headers.get("last-event-id") ?? undefined,
        request.signal,
      );
    },
    "GET /v1/owners": () => owners(w),
    "GET /v1/owner/habits": async (request) =>
      habits(w, await findOwner(w, query(request, "owner") ?? "")),
    "POST /v1/owner/keys/options": offer(w),
    ...passkeyRoutes(w),
    "POST /v1/owner/keys": enrolKey(w),
    "DELETE /v1/owner/keys/:jkt": async (_request, _context, { jkt }) => {
      const { keysLeft, agents } = await removeKey(w, jkt ?? "", by);
      return json({ removed: true, keys_left: keysLeft, agents });
    },
    "POST /v1/owner/keys/:jkt/resume": async (_request, _context, { jkt }) => {
      await resumeKey(w, jkt ?? "", by);
      return json({ resumed: true });
    },
    "POST /v1/owner/agents/:name/unblock": async (_request, _context, { name }) => {
      await unblock(w, entryId(w.config.trustDomain, name ?? ""), by);
      return json({ unblocked: true });
    },
    "POST /v1/owner/expectations": (request) => announce(w, request, { by }),
    "GET /v1/owner/starters": async (request) =>
      starters(w, (await findOwner(w, query(request, "owner") ?? "")).id),
    "POST /v1/owner/starters": (request) => {
      const find = async (): Promise<string> =>
        (await findOwner(w, query(request, "owner") ?? "")).id;
      return changeStarters(w, request, find, by);
    },
    "GET /v1/owner/requests": (request) => inbox(w, request),
    "GET /v1/owner/requests/:id": openForOwner(w, by),
    "POST /v1/owner/requests/:id/statement": openWithDigits(w, by),
    "POST /v1/owner/requests/:id/decision": decide(w, by),
    "POST /v1/owner/requests/:id/block": block(w, by),
  };
}
