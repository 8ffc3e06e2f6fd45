import { describe, expect, it } from "vitest";
import { parseConfig } from "@countersign/node";
import { SERVER_SCHEMA } from "../daemons.ts";
import { configurationOf } from "./server.ts";
import { SETTINGS } from "./server-settings.ts";

describe("server init", () => {
  it("offers every setting but the one that is for development", () => {
    const names = Object.keys(SERVER_SCHEMA).filter((name) => name !== "development");
    expect(SETTINGS.map(({ name }) => name)).toEqual(names);
  });

  it.each(SETTINGS)("offers $name in the type of the schema", ({ name, kind }) => {
    const { type } = SERVER_SCHEMA[name as keyof typeof SERVER_SCHEMA]; // the names were compared above
    expect(kind).toBe({ string: "text", integer: "integer", strings: "list", boolean: "" }[type]);
  });

  it("writes what was given, and nothing else", () => {
    const text = configurationOf({
      trustDomain: "example.org",
      apiPort: "0",
      dns: ["a.example", "b.example"],
      policy: undefined,
    });
    expect(text).toBe('trust_domain: "example.org"\napi_port: 0\ndns: ["a.example","b.example"]\n');
    expect(parseConfig(text, SERVER_SCHEMA)).toMatchObject({
      trust_domain: "example.org",
      api_port: 0,
      dns: ["a.example", "b.example"],
    });
  });

  it.each(["many", "-1", "1.5", ""])(
    "leaves the port %j to the schema, which refuses it by name",
    (port) => {
      const text = configurationOf({ trustDomain: "example.org", apiPort: port });
      expect(() => parseConfig(text, SERVER_SCHEMA)).toThrow("api_port");
    },
  );

  it("cannot be made to write another setting", () => {
    const text = configurationOf({ trustDomain: 'x"\ndevelopment: true' });
    expect(text.split("\n")).toHaveLength(2);
  });
});
