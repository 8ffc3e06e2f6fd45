import { Members, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { answeringWith, application, json, readJsonBody } from "@countersign/node";
import type { Endpoint, Handler, Routes } from "@countersign/node";
import { findAsk, isOf } from "../cases/asked.ts";
import { findAgent } from "../cases/expectations.ts";
import type { OwnerSession, OwnerSessions } from "../cases/owner-sessions.ts";
import { signIn, signInNonce } from "../cases/sign-in.ts";
import { unblock } from "../cases/unblock.ts";
import type { Heeded } from "../feed/heeded.ts";
import type { OwnerFeed } from "../feed/owner-feed.ts";
import type { World } from "../world.ts";
import { AddressLimit } from "./address-limit.ts";
import type { AddressBounds } from "./address-limit.ts";
import { agentOf } from "./console-agent.ts";
import { checkPlace } from "./console-place.ts";
import { stopRoutes } from "./console-stops.ts";
import { actorOf, agentsOf, logOf, meOf } from "./console-views.ts";
import { enrolmentRoutes } from "./enrolment.ts";
import { announce, changeStarters, starters } from "./expectations.ts";
import { habits } from "./habits.ts";
import { ownKeyRoutes } from "./own-keys.ts";
import type { Signed } from "./own-keys.ts";
import { block, decide, listRequests, openForOwner, openWithDigits } from "./owner.ts";
import { pushRoutes } from "./push.ts";
import { ANSWER_HEADERS, pageOf, STRICT_TRANSPORT } from "./static-site.ts";
import type { Site } from "./static-site.ts";
import { publicStopCodeRoutes } from "./stop-codes.ts";
import type { PublicContext } from "./stop-codes.ts";
import { waitingView } from "./waiting-view.ts";

const MAX_BODY_BYTES = 65_536;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const SESSION_HEADER = "countersign-session";
const COOKIE = "__Host-countersign";
/**
 * Nobody guesses a signature: what is bounded is the work that strangers make. So it is far from what owners do, and
 * whoever would lock all of them out needs a hundred networks, each minute anew.
 */
const SIGN_INS: AddressBounds = { ofAddress: 30, ofAll: 3000 };

type Console = Endpoint<PublicContext>;

/** What the console is made of, beside the server's world. */
export interface ConsoleParts {
  readonly feed: OwnerFeed;
  readonly sessions: OwnerSessions;
  /** Which hosts have confirmed which stops. */
  readonly heeded: Heeded;
  readonly site: Site;
}

/** Over https the session is a cookie that no script reads; a development console keeps it as a header (owner.md 1.3). */
const isCookied = (w: World): boolean =>
  w.config.consent.origins.every((origin) => origin.startsWith("https://"));

function tokenOf(w: World, request: Request): string | undefined {
  const header = request.headers.get(SESSION_HEADER);
  // the header is demanded in both ways: a page of another origin cannot send it without being asked first
  if (header === null) return undefined;
  const cookies = request.headers.get("cookie") ?? "";
  const token = isCookied(w)
    ? cookies
        .split(/; */)
        .find((cookie) => cookie.startsWith(`${COOKIE}=`))
        ?.slice(COOKIE.length + 1)
    : header;
  return token !== undefined && TOKEN.test(token) ? token : undefined;
}

const cookieOf = (token: string, seconds: number): string =>
  `${COOKIE}=${token}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${seconds}`;

/** The answer to signing out, which takes the cookie away. */
const signedOut = (w: World): Response =>
  json({ signed_out: true }, 200, {
    "cache-control": "no-store",
    ...(isCookied(w) ? { "set-cookie": cookieOf("", 0) } : {}),
  });

async function enter(
  w: World,
  sessions: OwnerSessions,
  request: Request,
  mayTry: () => boolean,
): Promise<Response> {
  const posted = new Members(
    await readJsonBody(request, MAX_BODY_BYTES),
    "malformed_request",
    "sign-in",
  );
  const sig = posted.object("sig").whole();
  const asked = {
    nonce: posted.text("nonce", { maxLength: 128 }),
    credentialId: posted.text("credential_id", { maxLength: 1364 }),
    sig,
  };
  posted.optional("user_handle", (name) => posted.text(name, { maxLength: 128 }));
  posted.end();
  if (!mayTry()) throw new Refusal("rate_limited", "sign-in", "Wait a minute, then sign in again.");
  const { token, until, jkt } = await signIn(w, sessions, asked);
  const body: JsonObject = { until, jkt };
  if (!isCookied(w)) return json({ ...body, token });
  const headers = {
    "cache-control": "no-store",
    "set-cookie": cookieOf(token, until - w.clock()),
  };
  return json(body, 200, headers);
}

/**
 * The session of a call. A key that was removed or suspended, in whichever way, ends those that it began.
 * @throws Refusal `session_needed`
 */
async function sessionOf(
  w: World,
  sessions: OwnerSessions,
  request: Request,
): Promise<OwnerSession> {
  const session = sessions.find(tokenOf(w, request), w.clock());
  const key = await w.store.ownerKey(session.jkt);
  if (key !== undefined && key.removedAt === undefined && key.suspendedAt === undefined)
    return session;
  sessions.endOf(session.jkt);
  throw new Refusal("session_needed", "the key that signed in was removed or suspended");
}

/** A question of this owner's, or of several of whom he is one, or nothing: what is another's does not exist here. */
async function ownAsk(w: World, session: OwnerSession, id: string | undefined): Promise<void> {
  const row = await findAsk(w, id ?? "");
  if (!isOf(row, session.owner)) throw new Refusal("not_found", "no such request");
}

/** A text is made for a key of this owner's; whether another's is enrolled, removed or suspended is not told. */
async function ownKey(w: World, { owner }: OwnerSession, jkt: string | null): Promise<void> {
  if (jkt !== null && (await w.store.ownerKey(jkt))?.owner !== owner)
    throw new Refusal("key_not_enrolled");
}

/** The events of a session's owner. The stream ends with the session: signed out, over, its key taken away. */
async function eventsOf(
  w: World,
  { feed, sessions }: Pick<ConsoleParts, "feed" | "sessions">,
  session: OwnerSession,
  request: Request,
): Promise<Response> {
  const release = sessions.hold(tokenOf(w, request));
  const closed = (): void => release(w.clock());
  const lastEventId = request.headers.get("last-event-id") ?? undefined;
  try {
    return await feed.open({ owner: session.owner, session, closed }, lastEventId, request.signal);
  } catch (error) {
    closed();
    throw error;
  }
}

/** Never refused for their number: a host may have more agents than a minute has writes, each stopped by a call. */
const UNCOUNTED: ReadonlySet<string> = new Set([
  "POST /v1/owner/halt",
  "POST /v1/owner/sign-out-everywhere",
]);

/** Whether a call is counted: it writes something, and stops nothing. A question opened for a key has a text made for it. */
const isCounted = (name: string, { url }: Request): boolean =>
  name.startsWith("GET ") ? new URL(url).searchParams.has("jkt") : !UNCOUNTED.has(name);

/** What a session may do: read, deny and stop. Approving is a signature, whoever posts it. */
function signedRoutes(
  w: World,
  parts: Omit<ConsoleParts, "site">,
): Readonly<Record<string, Signed>> {
  return {
    "GET /v1/owner/me": async (session) => json(await meOf(w, session)),
    "GET /v1/owner/requests": async (session, request) =>
      json(await listRequests(w, request, session.owner, waitingView(w, session.jkt))),
    "GET /v1/owner/requests/:id": async (session, request, parameters) => {
      await ownAsk(w, session, parameters["id"]);
      await ownKey(w, session, new URL(request.url).searchParams.get("jkt"));
      return openForOwner(w, actorOf(session))(request, {}, parameters);
    },
    "POST /v1/owner/requests/:id/statement": async (session, request, parameters) => {
      await ownAsk(w, session, parameters["id"]);
      const mayName = (jkt: string): Promise<void> => ownKey(w, session, jkt);
      return openWithDigits(w, actorOf(session), mayName)(request, {}, parameters);
    },
    "POST /v1/owner/requests/:id/decision": async (session, request, parameters) => {
      await ownAsk(w, session, parameters["id"]);
      return decide(w, actorOf(session), session.jkt)(request, {}, parameters);
    },
    "POST /v1/owner/requests/:id/block": async (session, request, parameters) => {
      await ownAsk(w, session, parameters["id"]);
      return block(w, actorOf(session), session.jkt)(request, {}, parameters);
    },
    "POST /v1/owner/agents/:name/unblock": async (session, request, { name = "" }) => {
      const posted = await readJsonBody(request, MAX_BODY_BYTES);
      new Members(posted, "malformed_request", "unblock").end();
      await unblock(w, (await findAgent(w, name, session.owner)).id, actorOf(session));
      return json({ unblocked: true });
    },
    "GET /v1/owner/events": (session, request) => eventsOf(w, parts, session, request),
    "GET /v1/owner/agents": async (session) => json(await agentsOf(w, session.owner)),
    "GET /v1/owner/agents/:name": async (session, _request, { name }) =>
      json(await agentOf(w, session, name ?? "")),
    "GET /v1/owner/habits": async ({ owner }) => habits(w, await w.store.owner(owner)),
    "GET /v1/owner/log": async (session, request) =>
      json(await logOf(w, session, new URL(request.url).searchParams)),
    "POST /v1/owner/expectations": (session, request) =>
      announce(w, request, { owner: session.owner, by: actorOf(session) }),
    "GET /v1/owner/starters": ({ owner }) => starters(w, owner),
    "POST /v1/owner/starters": (session, request) =>
      changeStarters(w, request, () => Promise.resolve(session.owner), actorOf(session)),
    ...stopRoutes(w, parts.heeded),
    "POST /v1/owner/sign-out-everywhere": ({ owner }) => {
      parts.sessions.endAll(owner);
      return Promise.resolve(signedOut(w));
    },
    ...ownKeyRoutes(w),
    ...pushRoutes(w),
  };
}

/**
 * The owner's console: its pages, and his calls under a session. It has an origin of its own; who comes from another
 * place, or would have it stand in another's frame, is refused before anything is looked at.
 */
export function consoleApp(
  w: World,
  { sessions, site, ...parts }: ConsoleParts,
): Handler<PublicContext> {
  const signIns = new AddressLimit(SIGN_INS);
  const routes: Record<string, Console> = {
    ...enrolmentRoutes(w),
    ...publicStopCodeRoutes(w),
    "GET /v1/owner/console": (request) => {
      const { trustDomain, issuer, consent } = w.config;
      const isSignedIn = sessions.has(tokenOf(w, request), w.clock());
      const place = { trust_domain: trustDomain, issuer, rp_id: consent.rpId };
      return Promise.resolve(json({ ...place, signed_in: isSignedIn }));
    },
    "POST /v1/owner/sign-in/nonce": () => Promise.resolve(json({ nonce: signInNonce(w) })),
    "POST /v1/owner/sign-in": (request, { address = "" }) =>
      enter(w, sessions, request, () => signIns.takes(address, w.clock())),
    "POST /v1/owner/sign-out": (request) => {
      const token = tokenOf(w, request);
      if (token !== undefined) sessions.end(token);
      return Promise.resolve(signedOut(w));
    },
  };
  for (const [name, signed] of Object.entries(signedRoutes(w, { ...parts, sessions })))
    routes[name] = async (request, _context, parameters) => {
      const session = await sessionOf(w, sessions, request);
      if (isCounted(name, request)) sessions.countWrite(tokenOf(w, request), w.clock());
      return signed(session, request, parameters);
    };
  for (const path of ["/", ...site.keys()])
    routes[`GET ${path}`] = (request) =>
      Promise.resolve(pageOf(site, path, request.headers.has("service-worker")));
  const placed: Routes<PublicContext> = Object.fromEntries(
    Object.entries(routes).map(
      ([name, endpoint]) =>
        [
          name,
          async (request, context, parameters) => {
            checkPlace(w.config.consent, request, !name.includes(" /v1/"));
            return endpoint(request, context, parameters);
          },
        ] satisfies readonly [string, Console],
    ),
  );
  const headers = isCookied(w) ? { ...ANSWER_HEADERS, ...STRICT_TRANSPORT } : ANSWER_HEADERS;
  return answeringWith(application(placed, w.log), headers);
}
