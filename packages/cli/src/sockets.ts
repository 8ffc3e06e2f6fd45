import { existsSync } from "node:fs";
import { join } from "node:path";
import { Refusal } from "@countersign/core";
import type { Json, JsonObject, RefusalCode } from "@countersign/core";
import { callJson, openTarget } from "@countersign/node";
import type { Target } from "@countersign/node";
import type { Cli } from "./terminal.ts";

export type SocketName = "server.sock" | "proxy.sock" | "run.sock";

const PRODUCTION_RUNTIME = "/run/countersign";

/** Where `countersign dev` keeps everything unless told otherwise. */
export function developmentData(cli: Cli): string {
  return join(cli.env.XDG_STATE_HOME ?? join(cli.home, ".local", "state"), "countersign");
}

/** The data directory that was given, or the one of `countersign dev`. */
export function dataOf(cli: Cli): string {
  return cli.data ?? developmentData(cli);
}

const WHO: Readonly<Record<SocketName, string>> = {
  "server.sock": "a server",
  "proxy.sock": "a proxy",
  "run.sock": "a proxy",
};

/** Path of a running daemon's socket. @throws Refusal `unreachable` naming every place that was looked at */
export function findSocket(cli: Cli, name: SocketName): string {
  const places = [
    ...(cli.data === undefined ? [] : [join(cli.data, "run")]),
    join(developmentData(cli), "run"),
    PRODUCTION_RUNTIME,
  ];
  const found = places.map((place) => join(place, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Refusal(
    "unreachable",
    `no ${name} in ${places.join(", ")}`,
    `Start ${WHO[name]} (countersign dev runs both), or say where it is with --data DIR.`,
  );
}

/** A local API over its socket. */
export interface LocalApi {
  readonly target: Target;
  get(path: string): Promise<JsonObject>;
  post(path: string, value: JsonObject): Promise<JsonObject>;
  remove(path: string): Promise<JsonObject>;
}

/** The local API of a daemon; one call at a time, closed when `use` ends. */
export async function withApi<T>(
  cli: Cli,
  name: SocketName,
  use: (api: LocalApi) => Promise<T>,
): Promise<T> {
  const target = openTarget({ unix: findSocket(cli, name) });
  try {
    return await use(apiOf(target));
  } finally {
    target.close();
  }
}

/** Calls over a target that was opened by the caller. */
export function apiOf(target: Target): LocalApi {
  const ask = async (
    method: "GET" | "POST" | "DELETE",
    path: string,
    json?: JsonObject,
  ): Promise<JsonObject> =>
    (
      await callJson(target, {
        method,
        path,
        ...(json === undefined ? {} : { json }),
        timeoutMs: 30_000,
        maxBytes: 16_777_216,
      })
    ).value;
  return {
    target,
    get: (path) => ask("GET", path),
    post: (path, value) => ask("POST", path, value),
    remove: (path) => ask("DELETE", path),
  };
}

/** Says of a refusal with this code what was meant here, and where to look: the server does not know the command. */
export async function explain<T>(
  asked: Promise<T>,
  code: RefusalCode,
  detail: string,
  next: string,
): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refusal && error.code === code) throw new Refusal(code, detail, next);
    throw error;
  }
}

/** Members of an answer that a command needs, or a bug. */
export function text(value: JsonObject, name: string): string {
  const member = value[name];
  if (typeof member !== "string")
    throw new Refusal("malformed_request", `the answer lacks ${name}`);
  return member;
}
export function list(value: JsonObject, name: string): readonly JsonObject[] {
  const member: Json | undefined = value[name];
  return Array.isArray(member) ? (member as readonly JsonObject[]) : []; // our own daemon's answer
}
export function number(value: JsonObject, name: string): number {
  const member = value[name];
  return typeof member === "number" ? member : 0;
}
