import { describe, expect, it } from "vitest";
import { parseConfig } from "@countersign/node";
import { PROXY_SCHEMA } from "./config.ts";
import { codeOf } from "./facts/family.testing.ts";

const FILE = "trust_domain: example.org\nname: laptop\napi_url: https://id.example.org\n";
const read = (line: string): ReturnType<typeof codeOf> =>
  codeOf(Promise.resolve().then(() => parseConfig(`${FILE}${line}`, PROXY_SCHEMA)));

describe("the proxy's configuration", () => {
  it.each([
    ["no runtime", "", "accepted"],
    ["a runtime's socket", "container_api: /run/docker.sock", "accepted"],
    ["a relative path", "container_api: docker.sock", "configuration_invalid"],
    ["an address", "container_api: http://localhost:2375", "configuration_invalid"],
    ["a path that no socket has", `container_api: /${"x".repeat(99)}`, "configuration_invalid"],
    ["a setting that nobody knows", "container_apis: /run/docker.sock", "configuration_invalid"],
  ])("%s: %s", async (_, line, code) => {
    expect(await read(line)).toBe(code);
  });
});
