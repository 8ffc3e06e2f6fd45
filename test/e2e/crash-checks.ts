import {
  equalBytes,
  leafHash,
  MerkleTree,
  openCheckpoint,
  readIssuedAnswer,
} from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { enrolWith, makeSent } from "./crash-client.ts";
import type { Cast, Remote } from "./crash-client.ts";
import { issuedOf, leafOf } from "./crash-load.ts";
import type { Ledger, Load } from "./crash-load.ts";

interface Row {
  readonly seq: number;
  readonly type: string;
  readonly leaf: string;
  readonly record: string;
}
type Facts = Readonly<Record<string, string | number>>;

async function rowsOf(remote: Remote): Promise<{ rows: readonly Row[]; checkpoint: string }> {
  const rows: Row[] = [];
  for (;;) {
    const { body } = await remote.call("admin", `GET /v1/log?from=${rows.length}`);
    const page = body["rows"] as unknown as Row[]; // the server's own form
    rows.push(...page);
    if (page.length < 1000) return { rows, checkpoint: textOf(body["checkpoint"]) };
  }
}

function demand(holds: boolean, what: string): void {
  if (!holds) throw new Error(`after the crash: ${what}`);
}

function unique(values: readonly unknown[], what: string): void {
  demand(new Set(values).size === values.length, `${what} twice`);
}

/** T46, T47: the tree only grows; what was shown is a part of it. */
async function checkTree(
  ledger: Ledger,
  rows: readonly Row[],
  checkpoint: string,
  vkey: string,
): Promise<void> {
  const tree = new MerkleTree(c);
  for (const [index, row] of rows.entries()) {
    demand(row.seq === index, "a row of the log is missing");
    tree.append(leafHash(c, leafOf(row)));
  }
  const now = await openCheckpoint(c, checkpoint, vkey);
  demand(
    now.size === rows.length && equalBytes(now.root, tree.root()),
    "the checkpoint is not of these rows",
  );
  if (ledger.checkpoint !== undefined) {
    const before = await openCheckpoint(c, ledger.checkpoint, vkey);
    demand(before.size <= now.size, "the checkpoint went back");
    demand(equalBytes(before.root, tree.root(before.size)), "the log forked");
  }
  ledger.checkpoint = checkpoint;
}

/** Records of one type. */
function recordsOf(
  rows: readonly Row[],
  type: string,
): readonly (Facts & { readonly seq: number })[] {
  return rows
    .filter((row) => row.type === type)
    .map((row) => ({ ...(JSON.parse(row.record) as Facts), seq: row.seq }));
}

/** T35: ordinals of each approval are 1, 2, 3 … in the order of the log. */
function checkCounters(issued: readonly Facts[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { cs, n } of issued) {
    const next = (counts.get(String(cs)) ?? 0) + 1;
    demand(n === next, `credential ${n} of an approval comes as its ${next}.`);
    counts.set(String(cs), next);
  }
  return counts;
}

async function checkState({ remote }: Cast, issued: readonly Facts[]): Promise<void> {
  const counts = checkCounters(issued);
  const grants = (await remote.call("admin", "GET /v1/grants")).body[
    "grants"
  ] as unknown as Facts[];
  for (const { cs, issued: count } of grants)
    demand(count === (counts.get(String(cs)) ?? 0), `a grant counts ${count}`);
  const { body } = await remote.call("admin", "GET /v1/credentials");
  const bySeq = new Map(issued.map((record) => [record["seq"], record["jti"]]));
  const live = body["credentials"] as unknown as Facts[];
  for (const { seq, jti } of live)
    demand(bySeq.get(Number(seq)) === jti, "T48: a credential without its leaf");
  demand(
    live.length === Math.min(1000, issued.length),
    `${live.length} credentials, ${issued.length} leaves`,
  );
}

async function checkAcknowledged(
  { remote }: Cast,
  ledger: Ledger,
  rows: readonly Row[],
): Promise<void> {
  const issued = recordsOf(rows, "credential.issued");
  const byReq = new Map(issued.map((record) => [record["req"], record]));
  const asked = new Set(recordsOf(rows, "approval.asked").map(({ req }) => req));
  for (const sent of ledger.sent) {
    const { answer, req, sibling } = sent;
    if (answer?.word === "202") demand(asked.has(req), "a question is missing");
    if (answer?.word === "200") {
      const { jti, leaf, index, n } = issuedOf(answer);
      demand(rows[index]?.leaf === leaf, "a released leaf is missing");
      demand(byReq.get(req)?.["jti"] === jti && byReq.get(req)?.["n"] === n, "an issue is missing");
    }
    const wasDone = (one: typeof sent): boolean => byReq.has(one.req) || asked.has(one.req);
    demand(sibling === undefined || !(wasDone(sent) && wasDone(sibling)), "a nonce worked twice");
  }
  const approved = new Set(recordsOf(rows, "approval.approved").map(({ cs }) => cs));
  for (const { cs } of ledger.approvals)
    demand(cs === undefined || approved.has(cs), "an approval is missing");
  const enrolled = new Set(recordsOf(rows, "proxy.enrolled").map(({ proxy }) => proxy));
  for (const { isDone, name } of ledger.enrolments)
    demand(
      !isDone || enrolled.has(`spiffe://example.org/proxy/${name}`),
      "an enrolment is missing",
    );
  const stops = (await remote.call("admin", "GET /v1/halts")).body["stops"] as { id: string }[];
  const inForce = new Set(stops.map(({ id }) => id));
  for (const { id } of ledger.halts)
    demand(id === undefined || ledger.lifted.has(id) || inForce.has(id), "a stop is missing");
}

/** Everything that must be so after any crash, read through the sockets. */
export async function checkAll(cast: Cast, ledger: Ledger, vkey: string): Promise<number> {
  const { remote } = cast;
  const status = await remote.call("admin", "GET /v1/status");
  demand(status.body["hold"] === undefined, `the server holds: ${textOf(status.body["hold"])}`);
  const { rows, checkpoint } = await rowsOf(remote);
  await checkTree(ledger, rows, checkpoint, vkey);
  const issued = recordsOf(rows, "credential.issued");
  const asked = recordsOf(rows, "approval.asked");
  unique(
    issued.map(({ jti }) => jti),
    "a jti",
  );
  unique(
    [...issued, ...asked].map(({ req }) => req),
    "a request",
  );
  const approved = recordsOf(rows, "approval.approved");
  unique(
    approved.map(({ req }) => req),
    "an approval of a request",
  );
  unique(
    recordsOf(rows, "proxy.enrolled").map(({ proxy }) => proxy),
    "an enrolment",
  );
  await checkState(cast, issued);
  await checkAcknowledged(cast, ledger, rows);
  return rows.length;
}

const MAX_SETTLED = 6;

/** What was under way when the server died is asked about again, beside a rival that uses the same thing. */
export async function settle(
  cast: Cast,
  ledger: Ledger,
  load: Load,
  draw: () => number,
): Promise<void> {
  const open = ledger.sent.filter(
    ({ answer, sibling }) => answer === undefined && sibling === undefined,
  );
  for (const sent of open.slice(0, MAX_SETTLED)) {
    const rival = await makeSent(sent.agent, { cs: sent.cs, nonce: sent.nonce });
    [sent.sibling, rival.sibling] = [rival, sent];
    ledger.sent.push(rival);
    const order = draw() < 0.5 ? [sent, rival] : [rival, sent];
    const words: string[] = [];
    for (const one of order) words.push((await load.post(one)).word);
    demand(
      words.filter((word) => word === "200" || word === "202").length <= 1,
      "a nonce works twice",
    );
    for (const one of order)
      if (one.answer?.word === "200") {
        await load.repeatRequest(one);
        readIssuedAnswer(one.answer.body);
      }
  }
  for (const approval of ledger.approvals.slice(-3)) {
    const { word, body } = await cast.owner.decide(approval.id, approval.bytes);
    demand(approval.cs === undefined || word !== "200", "a statement works twice");
    if (word === "200") approval.cs = textOf(body["cs"]);
  }
  for (const enrolment of ledger.enrolments.slice(-2)) {
    const again = await enrolWith(cast.remote, enrolment.name, enrolment.secret);
    demand(!enrolment.isDone || again === "join_token_invalid", "a join token works twice");
    if (typeof again !== "string") enrolment.isDone = true;
  }
}
