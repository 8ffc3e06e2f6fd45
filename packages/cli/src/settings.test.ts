import { describe, expect, it } from "vitest";
import { parseConfig, printConfig } from "@countersign/node";
import type { ConfigOption } from "@countersign/node";
import { PROXY_SCHEMA, SERVER_SCHEMA } from "./daemons.ts";

const ROWS = Object.entries({ server: SERVER_SCHEMA, proxy: PROXY_SCHEMA }).flatMap(
  ([daemon, schema]) =>
    Object.entries<ConfigOption>(schema).map(([name, option]) => ({ daemon, name, option })),
);
/** Numbers that count nothing. */
const PLAIN = /_(port|uid)$/;

describe("every setting", () => {
  it.each(ROWS)(
    "$daemon $name says what it decides, its unit and its default",
    ({ name, option }) => {
      expect(option.doc).toMatch(/\w{3}/);
      if (option.type === "integer" && !PLAIN.test(name)) expect(option.unit).toMatch(/\w/);
      const [line = ""] = printConfig({ [name]: option }, {}).split("\n");
      expect(line).toMatch(/^# .*\((default .*|required|no default.*)\)$/);
    },
  );

  it("of a proxy reads back as printed", () => {
    const text = 'trust_domain: "example.org"\nname: "a"\napi_url: "https://id.example.org:8443"\n';
    const values = parseConfig(text, PROXY_SCHEMA);
    expect(parseConfig(printConfig(PROXY_SCHEMA, values), PROXY_SCHEMA)).toEqual(values);
  });
});
