import { Refusal } from "@countersign/core";
import { describe, expect, it } from "vitest";
import { codeOf } from "../refusal.testing.ts";
import { createLog } from "../log.ts";
import { problemResponse, readJsonBody } from "./problem.ts";

function post(body: string | Uint8Array, type: string | undefined): Request {
  const headers = type === undefined ? {} : { "content-type": type };
  return new Request("http://localhost/", {
    method: "POST",
    headers,
    body: typeof body === "string" ? new TextEncoder().encode(body) : Buffer.from(body),
  });
}

describe("readJsonBody", () => {
  const json = "application/json";
  it.each([
    ["an object", '{"a":1}', json, "ok"],
    ["a charset of UTF-8", '{"a":1}', `${json}; charset=utf-8`, "ok"],
    ["upper case", '{"a":1}', "Application/JSON", "ok"],
    ["as long as the limit", `{"a":"${"x".repeat(56)}"}`, json, "ok"],
    ["one octet more", `{"a":"${"x".repeat(57)}"}`, json, "too_large"],
    ["another charset", '{"a":1}', `${json}; charset=latin1`, "unsupported_media_type"],
    ["another type", '{"a":1}', "text/plain", "unsupported_media_type"],
    ["a type that begins alike", '{"a":1}', "application/json-seq", "unsupported_media_type"],
    ["no type", '{"a":1}', undefined, "unsupported_media_type"],
    ["a list", "[1]", json, "malformed_json"],
    ["nothing", "", json, "malformed_json"],
    ["a member twice", '{"a":1,"a":2}', json, "malformed_json"],
    ["octets that are not UTF-8", new Uint8Array([123, 255, 125]), json, "malformed_json"],
  ])("%s: %s", async (_name, body, type, code) => {
    expect(await codeOf(() => readJsonBody(post(body, type), 64))).toBe(code);
  });
});

describe("problemResponse", () => {
  const lines: string[] = [];
  const stream = { write: (line: string) => lines.push(line) };
  const log = createLog({ stream, format: "json", clock: () => 0 });

  it("says the table's words of a refusal and nothing of its detail", async () => {
    const response = problemResponse(new Refusal("halted", "the detail"), log);
    expect(response.status).toBe(403);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ reason: "halted", status: 403 });
    expect(body).not.toContain("the detail");
    expect(lines).toEqual([]);
  });

  it("says nothing of a bug to the caller, and logs it", async () => {
    const response = problemResponse(new TypeError("the bug"), log);
    expect(response.status).toBe(500);
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ reason: "internal" });
    expect(body).not.toContain("the bug");
    expect(lines.join("")).toContain("the bug");
  });
});
