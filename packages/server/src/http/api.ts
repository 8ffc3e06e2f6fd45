import {
  EST_MEDIA_TYPE,
  fromBase64,
  fromUtf8,
  makeNonce,
  NONCE_LIFE_SECONDS,
  nonceHolder,
  readBeat,
  readEstBody,
  readNonceRequest,
  readOwnerConsent,
  readPostedRequest,
  readPresignedRequest,
  Refusal,
  RENEWAL_HEADER,
  writeCertsOnly,
  writeEstBody,
  writeIssuedAnswer,
} from "@countersign/core";
import type { Bytes } from "@countersign/core";
import { headerLines, readJsonBody } from "@countersign/node";
import type { Handler } from "@countersign/node";
import { requestCredential } from "../cases/credential.ts";
import { acceptOwnerConsent } from "../cases/owner-consent.ts";
import { acceptPresigned } from "../cases/presigned.ts";
import { simpleEnroll, simpleReenroll } from "../cases/enrol.ts";
import type { StateFeed } from "../feed/state-feed.ts";
import type { World } from "../world.ts";
import { authenticate, authenticateGateway, authenticateRenewing } from "./peer.ts";
import type { ApiContext } from "./peer.ts";
import { application, json } from "@countersign/node";
import type { Endpoint, Routes } from "@countersign/node";

const MAX_BODY_BYTES = 65_536;
const MAX_CSR_BYTES = 16_384;

function estResponse(certificates: readonly Bytes[]): Response {
  const body = writeEstBody(writeCertsOnly(certificates));
  return new Response(body, {
    status: 200,
    headers: { "content-type": EST_MEDIA_TYPE.certsOnly, "content-length": String(body.length) },
  });
}

async function readCsr(request: Request): Promise<Bytes> {
  if (!(request.headers.get("content-type") ?? "").startsWith(EST_MEDIA_TYPE.request))
    throw new Refusal("unsupported_media_type");
  return readEstBody(await request.text(), MAX_CSR_BYTES);
}

/** The secret of a join token: HTTP Basic with an empty user name. */
function secretOf(request: Request): string {
  const header = request.headers.get("authorization") ?? "";
  if (!/^basic /i.test(header)) throw new Refusal("authentication_failed", "no Basic credentials");
  try {
    const text = fromUtf8(fromBase64(header.slice("basic ".length).trim()));
    if (text.startsWith(":")) return text.slice(1);
  } catch {
    // falls through: one answer for every malformed header
  }
  throw new Refusal("authentication_failed", "not an empty user and a secret");
}

const nonce =
  (w: World): Endpoint<ApiContext> =>
  async (request, context) => {
    const peer = await authenticate(w, request, context);
    const { seen } = readNonceRequest(await readJsonBody(request, MAX_BODY_BYTES));
    if (seen !== undefined && seen.checkpoint !== "") await w.store.noteSeen(seen);
    const now = w.clock();
    return json({
      nonce: makeNonce(w.keys.mac, w.random, nonceHolder(peer.id, peer.gateway), now),
      now,
      expires_in: NONCE_LIFE_SECONDS,
    });
  };

const credentialRequests =
  (w: World): Endpoint<ApiContext> =>
  async (request, context) => {
    const peer = await authenticate(w, request, context);
    const outcome = await requestCredential(
      w,
      peer,
      readPostedRequest(await readJsonBody(request, MAX_BODY_BYTES)),
    );
    if (outcome.state === "issued") return json(writeIssuedAnswer(outcome));
    return json({ ...outcome, next: nextWhenAsked(w, outcome.id) }, 202);
  };

/** Where the owner decides: in his console where there is one, or at a terminal. */
function nextWhenAsked({ config }: World, id: string): string {
  const [origin] = config.console === undefined ? [] : config.consent.origins;
  const page = origin === undefined ? "" : `${origin}/#/requests/${id}, or `;
  return `The owner is asked: ${page}countersign owner approve ${id}`;
}

const presignedConsents =
  (w: World): Endpoint<ApiContext> =>
  async (request, context) => {
    const peer = await authenticate(w, request, context);
    const posted = readPresignedRequest(await readJsonBody(request, MAX_BODY_BYTES));
    return json(await acceptPresigned(w, peer, posted));
  };

const ownerConsents =
  (w: World): Endpoint<ApiContext> =>
  async (request, context) => {
    const { id } = await authenticateGateway(w, request, context);
    const posted = readOwnerConsent(await readJsonBody(request, MAX_BODY_BYTES));
    return json(await acceptOwnerConsent(w, id, posted));
  };

/** The calls of proxies, by themselves or through an owner's gateway. Every path but `cacerts` and `simpleenroll` demands a client certificate. */
export function apiApp(w: World, feed: StateFeed): Handler<ApiContext> {
  const routes: Routes<ApiContext> = {
    "POST /v1/nonce": nonce(w),
    "POST /v1/credential-requests": credentialRequests(w),
    "POST /v1/presigned-consents": presignedConsents(w),
    "POST /v1/owner-consents": ownerConsents(w),
    "GET /v1/state": async (request, context) => {
      const { id, gateway } = await authenticate(w, request, context);
      return feed.open(id, request.signal, gateway);
    },
    "POST /v1/beats": async (request, context) => {
      const { id } = await authenticate(w, request, context);
      feed.answerBeat(id, readBeat(await readJsonBody(request, MAX_BODY_BYTES)));
      return json({});
    },
    "GET /.well-known/est/cacerts": () =>
      Promise.resolve(
        estResponse([
          w.keys.infrastructureRoot,
          ...w.keys.infrastructureIssuers.map(({ der }) => der),
        ]),
      ),
    "POST /.well-known/est/simpleenroll": async (request) => {
      const secret = secretOf(request);
      return estResponse([await simpleEnroll(w, secret, await readCsr(request))]);
    },
    "POST /.well-known/est/simplereenroll": async (request, context) => {
      const peer = await authenticateRenewing(w, request, context);
      const [renewal] = headerLines(request, RENEWAL_HEADER);
      return estResponse([await simpleReenroll(w, peer, await readCsr(request), renewal)]);
    },
  };
  return application(routes, w.log);
}
