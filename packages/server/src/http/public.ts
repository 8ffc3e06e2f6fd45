import { isHash, jwksOf, parseTilePath, Refusal } from "@countersign/core";
import type { Digest } from "@countersign/core";
import type { Handler } from "@countersign/node";
import { publicApproval, publicCredentialPart } from "../cases/bundle.ts";
import { bundleText, publishedBundle } from "../cases/trust.ts";
import type { World } from "../world.ts";
import { application, json } from "@countersign/node";
import type { Routes } from "@countersign/node";
import { publicStopCodeRoutes } from "./stop-codes.ts";
import type { PublicContext } from "./stop-codes.ts";
import { base64url, utf8 } from "@countersign/core";

const BUNDLE_CACHE = "public, max-age=60";
const IMMUTABLE = "public, max-age=31536000, immutable";

function digestParameter(cs: string | undefined): Digest {
  if (!isHash(cs)) throw new Refusal("not_found");
  return `sha-256:${cs}`;
}

/** A document with an entity tag: an unchanged one costs a 304. */
function tagged(w: World, request: Request, text: string, type: string): Response {
  const etag = `"${base64url(w.c.sha256(utf8(text))).slice(0, 22)}"`;
  const headers = { "content-type": type, "cache-control": BUNDLE_CACHE, etag };
  return request.headers.get("if-none-match") === etag
    ? new Response(null, { status: 304, headers })
    : new Response(text, { status: 200, headers });
}

/** What everybody may read: keys, evidence by its digest, the log. And the one thing that a printed code is for. */
export function publicApp(w: World): Handler<PublicContext> {
  const routes: Routes<PublicContext> = {
    ...publicStopCodeRoutes(w),
    "GET /bundle": async (request) => tagged(w, request, await bundleText(w), "application/json"),
    "GET /jwks": async (request) =>
      tagged(
        w,
        request,
        JSON.stringify(jwksOf(await publishedBundle(w))),
        "application/jwk-set+json",
      ),
    "GET /e/:cs": async (_request, _context, { cs }) => {
      const { part, isFinal } = await publicApproval(w, digestParameter(cs));
      return json(part, 200, { "cache-control": isFinal ? IMMUTABLE : "no-cache" });
    },
    "GET /e/:cs/:jti": async (_request, _context, { cs, jti }) =>
      json(await publicCredentialPart(w, digestParameter(cs), jti ?? "")),
    "GET /log/checkpoint": async () =>
      new Response(await w.store.checkpoint(), {
        headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
      }),
    "GET /log/tile/:rest{.+}": async (_request, _context, { rest }) => {
      const octets = await w.store.tile(parseTilePath(`tile/${rest ?? ""}`));
      // a partial tile too is never another one: its width is part of its path
      return new Response(new Uint8Array(octets), {
        headers: { "content-type": "application/octet-stream", "cache-control": IMMUTABLE },
      });
    },
    "GET /log/entry/:seq": async (_request, _context, { seq }) => {
      const row = /^(0|[1-9][0-9]{0,14})$/.test(seq ?? "")
        ? await w.store.logRow(Number(seq))
        : undefined;
      if (row === undefined) throw new Refusal("not_found");
      return new Response(new Uint8Array(row.leaf), {
        headers: { "content-type": "application/agent-audit+json", "cache-control": IMMUTABLE },
      });
    },
    "GET /log/proof/:seq": async (_request, _context, { seq }) => {
      if (!/^(0|[1-9][0-9]{0,14})$/.test(seq ?? "")) throw new Refusal("not_found");
      return new Response(await w.store.proofFor(Number(seq)), {
        headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
      });
    },
    "GET /healthz": () => Promise.resolve(json({ live: true })),
    "GET /readyz": () => {
      const hold = w.store.hold();
      return Promise.resolve(
        json(
          hold === undefined ? { ready: true } : { ready: false, hold },
          hold === undefined ? 200 : 503,
        ),
      );
    },
  };
  return application(routes, w.log);
}
