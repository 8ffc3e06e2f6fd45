import { Hono } from "hono";
import { Refusal } from "@countersign/core";
import type { Log } from "../log.ts";
import { problemResponse } from "./problem.ts";
import type { Handler } from "./serve.ts";

/** One endpoint: its own file says what it takes and gives. */
export type Endpoint<C> = (
  request: Request,
  context: C,
  parameters: Readonly<Record<string, string>>,
) => Promise<Response>;

/** `METHOD /path/:parameter` → endpoint. */
export type Routes<C> = Readonly<Record<string, Endpoint<C>>>;

/** JSON that nobody may cache, unless other headers are given. */
export function json(
  value: object,
  status = 200,
  headers: Readonly<Record<string, string>> = { "cache-control": "no-store" },
): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

const tables = new WeakMap<object, readonly string[]>();

/** Names of the routes that an application was made of; for its description. */
export function routesOf<C>(app: Handler<C>): readonly string[] {
  return tables.get(app) ?? [];
}

/** An application over a table of routes. Every refusal is a problem document; every other throw a 500 and a log line. */
export function application<C extends object>(routes: Routes<C>, log: Log): Handler<C> {
  const hono = new Hono<{ Bindings: C }>();
  const paths = new Map<string, Set<string>>();
  for (const [name, endpoint] of Object.entries(routes)) {
    const [method = "", path = ""] = name.split(" ");
    const methods = paths.get(path) ?? new Set<string>();
    paths.set(path, methods.add(method));
    hono.on(method, path, (context) => endpoint(context.req.raw, context.env, context.req.param()));
  }
  for (const [path, methods] of paths)
    hono.all(path, () => {
      throw new Refusal("method_not_allowed", [...methods].join(", "));
    });
  hono.notFound(() => problemResponse(new Refusal("not_found"), log));
  hono.onError((error) => problemResponse(error, log));
  const app: Handler<C> = async (request, context) => hono.fetch(request, context);
  tables.set(app, Object.keys(routes));
  return app;
}

/** The same application; each of its answers has these headers too, where it has none of that name. */
export function answeringWith<C extends object>(
  app: Handler<C>,
  headers: Readonly<Record<string, string>>,
): Handler<C> {
  const entries = Object.entries(headers);
  const answering: Handler<C> = async (request, context) => {
    const response = await app(request, context);
    for (const [name, value] of entries)
      if (!response.headers.has(name)) response.headers.set(name, value);
    return response;
  };
  tables.set(answering, routesOf(app));
  return answering;
}
