// Loaded before everything else into a server's process: it signs with that server's keys, speaks from its sockets, and
// says what the file LIE names in place of the truth. The server's own program knows nothing of it.
import { readFileSync } from "node:fs";

const said = JSON.stringify;
const { parse } = JSON;

const lie = () => {
  try {
    return readFileSync(process.env.LIE ?? "", "utf8");
  } catch {
    return "";
  }
};
const flip = (text) => (text.startsWith("A") ? "B" : "A") + text.slice(1);
/** The text that is signed, with one thing otherwise. */
const inText = (jcs, from, to) =>
  Buffer.from(Buffer.from(jcs, "base64url").toString().replace(from, to)).toString("base64url");
const inApproval = (state, change) => ({
  ...state,
  approvals: state.approvals.map((one) => ({ ...one, approval: change(one.approval) })),
});
const without = (object, ...names) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
const signature = (sig) => ({ ...sig, s: sig.s.replace(/.{9}$/, (end) => `AAAA${end.slice(4)}`) });

/** What becomes of a request that is opened, of a proxy's state, of an answer with a credential, of a public bundle. */
const LIES = {
  "another host": {
    opened: (of) => ({ ...of, jcs: inText(of.jcs, /"host":"([^"]+)."/, '"host":"$1x"') }),
  },
  "another anchor": {
    opened: (of) => ({
      ...of,
      jcs: inText(of.jcs, /("agent":\{.*?"jkt":")[^"]{43}/, `$1${"A".repeat(43)}`),
    }),
  },
  "another owner": {
    opened: (of) => ({ ...of, jcs: inText(of.jcs, /(urn:agent-owner:[^:]+:)[^"]+/, "$1another1") }),
  },
  "another request": {
    opened: (of) => ({ ...of, request: of.request.replace(/.{8}$/, "AAAAAAAA") }),
  },
  "another digest": { opened: (of) => ({ ...of, digest: `sha-256:${"A".repeat(43)}` }) },
  "no text": { opened: (of) => without(of, "jcs") },
  "an approval that nobody signed": {
    state: (of) => inApproval(of, (one) => ({ ...one, sig: signature(one.sig) })),
  },
  "an approval of another text": {
    state: (of) =>
      inApproval(of, (one) => ({ ...one, st: inText(one.st, /"max_live":\d+/, '"max_live":99') })),
  },
  "a credential without its owner's signature": {
    issued: (of) => ({ ...of, bundle: without(of.bundle, "approval") }),
  },
  "a credential with a signature of nobody": {
    issued: (of) => ({
      ...of,
      bundle: {
        ...of.bundle,
        approval: { ...of.bundle.approval, sig: signature(of.bundle.approval.sig) },
      },
    }),
  },
  "a credential that the log does not hold": {
    issued: (of) => ({
      ...of,
      bundle: {
        ...of.bundle,
        credential: { ...of.bundle.credential, leaf: flip(of.bundle.credential.leaf) },
      },
    }),
  },
  "a token of another": { issued: (of) => ({ ...of, wit: of.wit.replace(/.{8}$/, "AAAAAAAA") }) },
  "other pages": {
    state: (of) => ({
      ...of,
      trust_bundle: of.trust_bundle.replaceAll("consent.", "sign."),
    }),
  },
};

JSON.stringify = (value, ...more) => {
  const honest = said(value, ...more);
  const told = LIES[lie()];
  if (told === undefined || typeof value !== "object" || value === null) return honest;
  const kind =
    "jcs" in value && "request" in value
      ? "opened"
      : "trust_bundle" in value && "approvals" in value
        ? "state"
        : "wit" in value && "bundle" in value
          ? "issued"
          : undefined;
  const change = kind === undefined ? undefined : told[kind];
  return change === undefined ? honest : said(change(parse(honest)));
};
