import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { REFUSALS } from "../../packages/core/src/index.ts";
import {
  describeFile,
  isNode,
  mismatches,
  operationsOf,
  resolve,
  under,
} from "./openapi-schema.ts";
import type { Node, Operation, Place as Described } from "./openapi-schema.ts";
import { tellStory } from "./openapi-story.ts";
import type { Apis, Exchange, Place } from "./openapi-story.ts";

const FILES = ["agent-api.yaml", "run-and-proxy.yaml", "server-api.yaml", "owner-console.yaml"];
const OPERATIONS = FILES.flatMap((file) => operationsOf(describeFile(file)));
const PLACES: readonly Place[] = ["door", "run", "proxy", "api", "public", "admin", "console"];
const JSON_TYPE = "application/json";

let apis: Apis;
beforeAll(async () => {
  apis = await tellStory();
});
afterAll(() => apis.whole.end());

/** `GET /log/tile/:rest{.+}` as a description writes it. */
const written = (route: string): string => route.replaceAll(/:(\w+)(\{[^}]*\})?/g, "{$1}");

/** Every node of a tree, with where it stands. */
function* nodesIn(value: unknown, path = ""): Generator<readonly [string, Node]> {
  if (Array.isArray(value))
    for (const [i, item] of value.entries()) yield* nodesIn(item, `${path}/${i}`);
  if (!isNode(value)) return;
  yield [path, value];
  for (const [name, member] of Object.entries(value)) yield* nodesIn(member, `${path}/${name}`);
}

const ALL_FILES = [...FILES, "common.yaml"];
describe("descriptions", () => {
  it.each(PLACES)("name every route of %s, and no other", (place) => {
    const described = OPERATIONS.filter(({ tag }) => tag === place).map(({ what }) => what);
    expect(described.toSorted()).toEqual(apis.routes(place).map(written).toSorted());
  });

  it("have no call elsewhere, and no name twice", () => {
    expect(OPERATIONS.filter(({ tag }) => !PLACES.some((place) => place === tag))).toEqual([]);
    const ids = OPERATIONS.map(({ at }) => at.node["operationId"]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("list every reason of a refusal, in the order of the table", () => {
    const reason = under(
      { in: describeFile("common.yaml"), node: describeFile("common.yaml").root },
      "components",
      "schemas",
      "Problem",
      "properties",
      "reason",
    );
    expect(reason?.node["enum"]).toEqual(Object.keys(REFUSALS));
  });

  it.each(ALL_FILES)("of %s refer to what is there", (file) => {
    const description = describeFile(file);
    for (const [, node] of nodesIn(description.root)) resolve({ in: description, node });
  });

  it.each(ALL_FILES)("of %s name only reasons that exist", (file) => {
    for (const [path, node] of nodesIn(describeFile(file).root)) {
      const [, words] =
        /Refused among others with([^.]*)\./.exec(String(node["description"])) ?? [];
      for (const [, code] of (words ?? "").matchAll(/`(\w+)`/g))
        expect({ path, code, isKnown: Object.hasOwn(REFUSALS, code ?? "") }).toMatchObject({
          isKnown: true,
        });
    }
  });

  it.each(OPERATIONS)("of $what say its parameters and its refusals", ({ what, at }) => {
    const parameters = ((at.node["parameters"] ?? []) as readonly Node[]).map(
      (node) => resolve({ in: at.in, node }).node,
    );
    const inPath = parameters.filter((parameter) => parameter["in"] === "path");
    const names = [...what.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(inPath.map((parameter) => parameter["name"])).toEqual(names);
    expect(under(at, "responses", "default", "content", "application/problem+json")).toBeDefined();
  });
});

const templateOf = (what: string): RegExp =>
  new RegExp(`^${what.replaceAll(/\{rest\}/g, ".+").replaceAll(/\{\w+\}/g, "[^/]+")}$`);

function operationOf({ place, what }: Exchange): Operation {
  const found = OPERATIONS.filter((one) => one.tag === place && templateOf(one.what).test(what));
  // of two templates, the one with fewer parameters is meant
  const [operation] = found.toSorted((a, b) => a.what.split("{").length - b.what.split("{").length);
  if (operation === undefined) throw new Error(`${place} ${what} is not described`);
  return operation;
}

describe("answers", () => {
  it("are as described, member by member", () => {
    for (const exchange of apis.exchanges) {
      const { at } = operationOf(exchange);
      const name = `${exchange.place} ${exchange.what} ${exchange.status}`;
      const response =
        under(at, "responses", String(exchange.status)) ?? under(at, "responses", "default");
      const schema = response && under(response, "content", exchange.type, "schema");
      const found =
        schema === undefined
          ? [`${exchange.type} is not described`]
          : exchange.values.flatMap((value) => mismatches(schema, value));
      expect([name, ...found]).toEqual([name]);
    }
  });

  it("of every call but those of EST and metrics were seen", () => {
    const seen = new Set(apis.exchanges.map((exchange) => operationOf(exchange).what));
    const unseen = OPERATIONS.map(({ what }) => what).filter((what) => !seen.has(what));
    expect(unseen).toEqual([
      "POST /.well-known/est/simpleenroll",
      "POST /.well-known/est/simplereenroll",
      "GET /log/tile/{rest}",
      "GET /metrics",
    ]);
  });
});

interface Body {
  readonly name: string;
  readonly operation: Operation;
  readonly schema: Described;
  readonly value: Node;
}

/** Every example of every JSON body. */
const BODIES: readonly Body[] = OPERATIONS.flatMap((operation) => {
  const media = under(operation.at, "requestBody", "content", JSON_TYPE);
  const schema = media && under(media, "schema");
  if (media === undefined || schema === undefined) return [];
  const { example, examples } = media.node;
  const named = isNode(examples) ? Object.entries(examples) : [["", { value: example }] as const];
  return named.map(([name, given]) => {
    const value: unknown = isNode(given) ? given["value"] : undefined;
    if (!isNode(value)) throw new Error(`${operation.what} has no example`);
    return { name: `${operation.what} ${name}`, operation, schema, value };
  });
});

/** The choice that an example is of. */
function chosen(schema: Described, value: Node): Described {
  const choices = (schema.node["oneOf"] ?? []) as readonly Node[];
  const places = choices.map((node) => resolve({ in: schema.in, node }));
  return places.find((place) => mismatches(place, value).length === 0) ?? schema;
}

/** Refusals that say that a body was not read. */
const UNREAD: ReadonlySet<string> = new Set(["malformed_request", "malformed_json", "invalid_key"]);

async function reasonFor({ operation }: Body, json: Node): Promise<string> {
  const [method = "", path = ""] = operation.what.split(" ");
  const place = operation.tag as Place; // every tag is a place: tested above
  // of another's question the console does not read a decision
  const named = place === "console" ? apis.question : "x";
  const what = `${method} ${path.replaceAll(/\{\w+\}/g, named)}`;
  const { values } = await apis.call(place, what, { json });
  const [value] = values;
  const reason = isNode(value) ? value["reason"] : undefined;
  return typeof reason === "string" ? reason : "read";
}

/** Any name goes into `headers`; a signature is read when its question is known. */
const OPEN: ReadonlySet<string> = new Set(["headers", "sig"]);

describe.each(BODIES)("the body of $name", (body) => {
  const schema = chosen(body.schema, body.value);
  const properties = Object.keys(under(schema, "properties")?.node ?? {});

  it("is closed, and its example has every member", () => {
    expect(schema.node["additionalProperties"]).toBe(false);
    expect(Object.keys(body.value).toSorted()).toEqual(properties.toSorted());
    expect(mismatches(body.schema, body.value)).toEqual([]);
  });

  it("is read as described, and not with a member more", async () => {
    expect(UNREAD).not.toContain(await reasonFor(body, body.value));
    expect(await reasonFor(body, { ...body.value, nobody_knows: 1 })).toBe("malformed_request");
  });

  it("is read without what is not required, and not without the rest", async () => {
    for (const name of properties) {
      // the owner of an entry, and the unit and the mode of a door, go with another member
      if (["owner", "unit", "door_mode"].includes(name)) continue;
      const { [name]: _left, ...rest } = body.value;
      const isRead = !UNREAD.has(await reasonFor(body, rest));
      expect([name, isRead]).toEqual([name, mismatches(body.schema, rest).length === 0]);
    }
  });

  it("is closed inside, too", async () => {
    for (const [name, member] of Object.entries(body.value)) {
      const inner = under(schema, "properties", name);
      if (!isNode(member) || inner === undefined || OPEN.has(name)) continue;
      const value = { ...body.value, [name]: { ...member, nobody_knows: 1 } };
      expect([name, mismatches(body.schema, value).length > 0]).toEqual([name, true]);
      expect([name, UNREAD.has(await reasonFor(body, value))]).toEqual([name, true]);
    }
  });
});
