import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  base64url,
  canonicalBytes,
  canonicalJson,
  fenceNote,
  readCode,
  readStatement,
  render,
  renderKeyStatement,
  renderTerminal,
  requestCode,
  utf8,
  VIEWS,
  writeStatement,
} from "@countersign/core";
import type { CredentialStatement, RefusalCode, RenderedRequest, Signed } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import {
  changed,
  CREDENTIAL,
  ENTRY,
  KEY,
  outcome,
  REQUEST_R,
  requestOf,
} from "./consent-fixture.ts";
import type { Change } from "./consent-fixture.ts";

function statementWith(change: Change = {}) {
  return readStatement(nodeCrypto, canonicalBytes(changed(CREDENTIAL, change)));
}
function shown(change: Change = {}, request: Signed<RenderedRequest> = REQUEST_R) {
  return render(nodeCrypto, statementWith(change), request);
}
function sentences(change: Change = {}): string {
  return renderTerminal(shown(change), { columns: 4000 }).join("\n");
}

describe("DESIGN 6: view.d is the digest of the template, and the list of views is closed", () => {
  it.each(VIEWS.map((view) => [view.tpl, view] as const))("%s", (_name, view) => {
    expect(view.d).toBe(`sha-256:${base64url(nodeCrypto.sha256(utf8(view.template)))}`);
  });
});

describe("DESIGN 4: a renderer refuses unless R, its anchor and the agent's id agree", () => {
  const other = "BbOr8leaXrZkA814vlV_2GBjOh_iEDx2QgMN7-MsZX8";
  const rows: readonly (readonly [
    string,
    Change,
    Partial<RenderedRequest>,
    RefusalCode | "accepted",
  ])[] = [
    ["all agree", {}, {}, "accepted"],
    [
      "the statement answers another R",
      { req: CREDENTIAL.agent.meas[0]?.d },
      {},
      "approval_unsuitable",
    ],
    ["R names another anchor", {}, { anchor: other }, "approval_unsuitable"],
    ["R names another entry", {}, { sub: `${ENTRY}2` }, "approval_unsuitable"],
    ["R names no entry", {}, { sub: "spiffe://example.com/server" }, "approval_unsuitable"],
    ["the statement names another anchor", { "agent.jkt": other }, {}, "approval_unsuitable"],
    [
      "the agent's id is not of its anchor",
      { "agent.id": `${ENTRY}/0000000000000000` },
      {},
      "approval_unsuitable",
    ],
    ["another template", { "view.tpl": "credential/2" }, {}, "approval_unsuitable"],
    ["another language", { "view.loc": "de" }, {}, "approval_unsuitable"],
    ["another digest of the template", { "view.d": CREDENTIAL.req }, {}, "approval_unsuitable"],
  ];
  it.each(rows)("%s", async (_name, change, claims, wanted) => {
    const request = await requestOf(claims);
    const req = Object.keys(claims).length === 0 ? {} : { req: request.digest };
    expect(await outcome(() => shown({ ...req, ...change }, request))).toBe(wanted);
  });
  it("a key statement has no view", async () => {
    const act = () => render(nodeCrypto, writeStatement(nodeCrypto, KEY), REQUEST_R);
    expect(await outcome(act)).toBe("approval_unsuitable");
  });
});

const PICTURE = `WHAT YOU SIGN. Each sentence is made from the signed text below.
You let the agent "mailer" act under its own name.
WHO
  The agent is "spiffe://example.com/agent/mailer/d1970e08e459358c".
  It runs only on the host "build-3".
  Its installation key is "0ZcOCORZ". Its program file must be exactly
  "mjpF0BUx". Its main script must be exactly "BbOr8lea". If one of these
  changes, you are asked again.
HOW LONG
  From 23 November 2026, 14:06 UTC until 30 November 2026, 14:06 UTC (7 days).
  Inside this time it renews itself without asking you. Each credential lasts
  at most 15 minutes.
  At most 2,016 credentials in all, and at most 4 at the same time. Each has a
  key of its own, signed for by the installation key.
WHAT IT CAN DO
  At "https://mail.example.com/mcp" it may use "messages.search" and
  "messages.draft". These can be undone.
! CANNOT BE UNDONE, 1 of 1
  At "https://mail.example.com/mcp" it may use "messages.send", at most 20
  times.
HOW TO UNDO
  You can stop it at any moment: in the console, with a printed stop code, or
  with the command “countersign halt”. What it did before stays done.
  A service that looks only at the credential learns of a stop after at most 15
  minutes.
YOUR SIGNATURE
  You sign as owner "7Qm0Zs6Yw1" with the key "kPrK_qmx", for the server
  "https://id.example.com" only, in answer to the request "REQUEST8".
  You typed the two digits from the agent’s terminal: 42. This text counts
  once, and only if signed by 14:11 UTC.
IN FULL                                                         digest DIGEST88`;

describe("console.md 6.3: the terminal, 80 columns", () => {
  it("is the picture, from WHAT YOU SIGN to IN FULL, then every member", () => {
    const rendering = shown();
    const lines = renderTerminal(rendering);
    const wanted = PICTURE.replace("REQUEST8", REQUEST_R.digest.slice(8, 16)).replace(
      "DIGEST88",
      rendering.cs.slice(8, 16),
    );
    const above = wanted.split("\n");
    expect(lines.slice(0, above.length)).toEqual(above);
    expect(lines[above.length]).toBe('consent:    "agent-consent/1" "credential" "approve"');
    expect(lines.every((line) => line.length < 80)).toBe(true);
  });
  it("code, title and marks are told apart for the console", () => {
    const rendering = shown();
    expect(rendering.code).toBe(requestCode(nodeCrypto, REQUEST_R.octets));
    expect(rendering.title).toEqual([
      { words: "You let the agent " },
      { value: "mailer" },
      { words: " act under its own name." },
    ]);
    expect(rendering.clauses.map((clause) => clause.heading)).toEqual([
      "Who",
      "How long",
      "What it can do",
      "How to undo",
      "Your signature",
    ]);
    expect(rendering.marked.map((line) => line.marks)).toEqual([["Cannot be undone"]]);
    expect(rendering.markNames).toEqual(["Cannot be undone, 1 of 1"]);
  });
});

const L = "https://a.example/x";
const ceiling = (entry: object) => ({
  "grant.ceiling": [
    { type: "http_api", locations: [L], actions: ["a"], class: "read_only", ...entry },
  ],
});
const single = {
  "grant.use": "single",
  "grant.max_issue": 1,
  "grant.exp": CREDENTIAL.grant.nbf + 3600,
};

describe("console.md 6.2: the sentence of every member", () => {
  const rows: readonly (readonly [string, Change, string])[] = [
    ["a denial", { decision: "deny" }, 'You refuse the agent "mailer" a credential.'],
    [
      "no host",
      { "agent.host": undefined },
      '! ANY HOST, 1 of 2\n  It may run on any host of "example.com".',
    ],
    ["single", single, "It gets one credential, within one hour; then this approval is used up."],
    ["one hour", single, "(1 hour)"],
    ["one credential", single, "At most one credential in all, and at most 4 at the same time."],
    ["a day and an hour", { "grant.exp": CREDENTIAL.grant.nbf + 90_000 }, "(1 day 1 hour)"],
    ["seconds", { "grant.max_ttl": 61 }, "lasts at most 1 minute 1 second."],
    ["undo repeats max_ttl", { "grant.max_ttl": 3600 }, "learns of a stop after at most 1 hour."],
    ["read_only", ceiling({}), `At "${L}" it may use "a". These only read.`],
    ["three actions", ceiling({ actions: ["a", "b", "c"] }), 'it may use "a", "b" and "c".'],
    ["two locations", ceiling({ locations: [L, `${L}2`] }), `At "${L}" and "${L}2" it may`],
    [
      "external_commitment",
      ceiling({ class: "external_commitment" }),
      "! BINDS YOU TO OTHERS, 1 of 1\n",
    ],
    [
      "privileged",
      ceiling({ class: "privileged_administration" }),
      "! CHANGES WHO MAY DO WHAT, 1 of 1\n",
    ],
    ["no class", ceiling({ class: undefined }), "! NOT KNOWN WHETHER IT CAN BE UNDONE, 1 of 1\n"],
    [
      "no actions",
      ceiling({ actions: [] }),
      `! ANY ACTION, 1 of 1\n  At "${L}" it may use anything.`,
    ],
    [
      "no locations",
      ceiling({ locations: [] }),
      '! ANY PLACE, 1 of 1\n  At any place it may use "a".',
    ],
    [
      "neither",
      ceiling({ locations: [], actions: [] }),
      "! ANY PLACE; ANY ACTION, 1 of 1\n  At any place it may use anything.",
    ],
    ["once", ceiling({ max_calls: 1 }), 'it may use "a", at most once. These'],
    ["many calls", ceiling({ max_calls: 1000 }), 'it may use "a", at most 1,000 times. These'],
    [
      "an empty ceiling",
      { "grant.ceiling": [] },
      "! NO LIMIT IN THIS TEXT, 1 of 1\n  It names no actions and no places.",
    ],
    [
      "no digits",
      { "view.match": undefined },
      '".\n  This text counts once, and only if signed by 14:11 UTC.',
    ],
    [
      "signed by another day",
      { iat: 1_795_478_000, exp: 1_795_478_700 },
      "signed by 24 November 2026, 00:05 UTC.",
    ],
    [
      "a long value is cut",
      ceiling({ actions: ["x".repeat(121)] }),
      `"${"x".repeat(120)}" … in full below`,
    ],
    [
      "not within an escape",
      ceiling({ actions: [`${"x".repeat(118)}é`] }),
      `"${"x".repeat(118)}" … in full below`,
    ],
    ["escapes", ceiling({ actions: ['a"\n\u202Eé😀'] }), '"a\\"\\n\\u202e\\u00e9\\ud83d\\ude00"'],
  ];
  it.each(rows)("%s", (_name, change, wanted) => {
    expect(sentences(change)).toContain(wanted);
  });
});

describe("console.md 6.1: the signed text", () => {
  const LABELS = /^([a-z][a-z ]*):/;
  const labels = (text: string) => text.split("\n").flatMap((line) => LABELS.exec(line)?.[1] ?? []);

  it("absent members are -, and so are empty lists", () => {
    const change = { "agent.host": undefined, "view.match": undefined, "grant.ceiling": [] };
    const text = shown(change).fullText;
    expect(text).toContain("\nhost:       -\n");
    expect(text).toContain("\ndigits:     -\n");
    expect(text).toContain("\nmay do:     -\n");
  });

  const instant = fc.integer({ min: 0, max: 253_402_300_799 });
  const hash = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((data) => `sha-256:${base64url(data)}`);
  const action = fc.oneof(
    fc.string({ minLength: 1, maxLength: 40, unit: "binary" }),
    fc.constantFrom(
      "x\nmay do:     -",
      "\u2028host:",
      '" "',
      "  - ",
      "\\u0061",
      "a",
      "$&",
      "owner:     x".repeat(9),
    ),
  );
  const entry = fc.record(
    {
      type: fc.constantFrom("mcp_tool", "http_api"),
      locations: fc.array(fc.constantFrom(L, `${L}/`), { maxLength: 2 }),
      actions: fc.array(action, { maxLength: 3 }),
      class: fc.constantFrom("read_only", "external_commitment"),
      max_calls: fc.integer({ min: 1, max: 9 }),
    },
    { requiredKeys: ["type", "locations", "actions"] },
  );
  // every member but those that the request fixes (req, agent.id, agent.jkt) and those with one value
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ decision: fc.constantFrom("approve", "deny") }),
    fc.record({
      aud: fc.constantFrom("https://a.example", "https://a.example/", "https://id.example.com:1"),
    }),
    instant.filter((at) => at > 0).map((at) => ({ iat: at - 1, exp: at })),
    fc.record({
      "owner.id": fc.constantFrom("a", "b").map((x) => `urn:agent-owner:example.com:7Qm0Zs6Y${x}`),
    }),
    fc.record({ "owner.jkt": hash.map((text) => text.slice(8)) }),
    fc.record({
      "agent.host": fc.constantFrom(
        undefined,
        "spiffe://example.com/proxy/a",
        "wimse://example.com/proxy/a",
      ),
    }),
    fc.record({
      "agent.meas": fc
        .array(fc.constantFrom("image", "model", "tools"), { maxLength: 1 })
        .chain((names) =>
          fc.tuple(...["binary", ...names].map((n) => hash.map((d) => ({ n, d })))),
        ),
    }),
    instant.filter((at) => at > 9).map((at) => ({ "grant.nbf": at - 9, "grant.exp": at })),
    fc.record({ "grant.max_ttl": fc.integer({ min: 5, max: 3600 }) }),
    fc.record({ "grant.max_issue": fc.integer({ min: 1, max: 10_000_000 }) }),
    fc.record({ "grant.max_live": fc.integer({ min: 1, max: 10_000_000 }) }),
    fc.record({ "grant.ceiling": fc.array(entry, { maxLength: 3 }) }),
    fc.record({ "view.match": fc.constantFrom(undefined, "00", "01") }),
  );

  it("another statement is another text, member by member", () => {
    fc.assert(
      fc.property(change, change, (a, b) => {
        const [first, second] = [a, b].map(
          (one) => changed(CREDENTIAL, one) as CredentialStatement,
        ); // the reader judges them
        if (first === undefined || second === undefined) return;
        const isSameText = shown(a).fullText === shown(b).fullText;
        expect(isSameText).toBe(canonicalJson(first) === canonicalJson(second));
      }),
      { seed: 1, numRuns: 400 },
    );
  });

  it("no value makes a line that starts like a label, a mark or a heading, nor leaves printable ASCII", () => {
    const ours = labels(shown().fullText);
    const headings = new Set(
      renderTerminal(shown())
        .filter((line) => /^[A-Z]/.test(line))
        .map((line) => line.slice(0, 8)),
    );
    fc.assert(
      fc.property(change, fc.integer({ min: 40, max: 90 }), (made, columns) => {
        const rendering = shown(made);
        expect(labels(rendering.fullText)).toEqual(ours);
        expect(rendering.fullText).toMatch(/^[\x20-\x7e\n]*$/);
        const lines = renderTerminal(rendering, { columns });
        expect(labels(lines.join("\n"))).toEqual(ours);
        expect(lines.filter((line) => line.startsWith("! ")).length).toBeGreaterThanOrEqual(
          rendering.marked.length,
        );
        for (const line of lines) {
          expect(line.length).toBeLessThan(columns);
          if (/^[A-Z]/.test(line) && !line.startsWith("You refuse"))
            expect(headings).toContain(line.slice(0, 8));
        }
      }),
      { seed: 2, numRuns: 150 },
    );
  });
});

describe("DESIGN 6: key statements, one fixed title, then every member", () => {
  it("stand one a line", () => {
    const { lines } = renderKeyStatement(
      writeStatement(nodeCrypto, { ...KEY, key: { ...KEY.key, app: "ssh:" } }),
    );
    const names = lines.map((line) => line.slice(0, line.indexOf(":")));
    expect(names).toEqual([
      ...[
        "typ",
        "kind",
        "decision",
        "jti",
        "aud",
        "td",
        "iat",
        "exp",
        "nonce",
        "owner.id",
        "owner.jkt",
      ],
      ...["key.op", "key.jkt", "key.kind", "key.spki", "key.app"],
    ]);
    expect(lines).toContain('key.app: "ssh:"');
    expect(lines).toContain("iat: 2026-11-23T14:06:20Z");
  });
  it("a credential statement is none", async () => {
    expect(await outcome(() => renderKeyStatement(statementWith()))).toBe("approval_unsuitable");
  });
});

describe("formats.md 1: the code of a request", () => {
  it("is the first 50 bits of SHA-256 of R's octets", () => {
    const digest = nodeCrypto.sha256(utf8("abc")); // ba7816bf 8f01cfea …
    let bits = 0n;
    for (const octet of digest.subarray(0, 8)) bits = (bits << 8n) | BigInt(octet);
    bits >>= 14n;
    let text = "";
    for (let i = 0; i < 10; i += 1) {
      text = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".charAt(Number(bits & 31n)) + text;
      bits >>= 5n;
    }
    expect(requestCode(nodeCrypto, "abc")).toBe(`${text.slice(0, 5)}-${text.slice(5)}`);
  });
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["9DD6X-2QK7M", "9DD6X-2QK7M"],
    ["9dd6x2qk7m", "9DD6X-2QK7M"],
    [" 9dd6x 2qk7m ", "9DD6X-2QK7M"],
    ["oOiIl-LLLLL", "00111-11111"],
    ["9DD6X-2QK7U", undefined],
    ["9DD6X-2QK7", undefined],
    ["9DD6X-2QK7MM", undefined],
    ["9DD6X_2QK7M", undefined],
    ["", undefined],
    ["-".repeat(100), undefined],
  ];
  it.each(rows)("typed as %j", (typed, wanted) => {
    expect(readCode(typed)).toBe(wanted);
  });
});

describe("console.md 6: words of the agent stand in a fence", () => {
  const rows: readonly (readonly [string, readonly string[], number, number, number])[] = [
    ["plain words", ["  | plain words"], 0, 0, 0],
    ["a\u202Eb\u200Bc\u001B[31m", ["  | a<U+202E>b<U+200B>c<U+001B>[31m"], 3, 0, 0],
    ["one\nIN FULL\n", ["  | one", "  | IN FULL", "  | "], 0, 0, 0],
    ["a\rb\u2028c\u00A0d\u{E0041}", ["  | a<U+000D>b<U+2028>c<U+00A0>d<U+E0041>"], 4, 0, 0],
    [
      "see https://a.example and www.b.example",
      ["  | see https://a.example and www.b.example"],
      0,
      2,
      0,
    ],
    ["**now** <b>x</b> [y](z)", ["  | **now** <b>x</b> [y](z)"], 0, 0, 5],
    ["x".repeat(100), [`  | ${"x".repeat(76)}`, `  | ${"x".repeat(24)}`], 0, 0, 0],
    ["", ["  | "], 0, 0, 0],
  ];
  it.each(rows)("%j", (note, lines, hidden, addresses, markup) => {
    expect(fenceNote(note)).toEqual({ lines, hidden, addresses, markup });
  });
  it("every line starts with the fence, and none holds a character that is not seen", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 280 }), (note) => {
        for (const line of fenceNote(note).lines) {
          expect(line.startsWith("  | ")).toBe(true);
          expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});
