import {
  canonicalJson,
  decidePresigned,
  isCredentialStatement,
  open,
  readStatement,
  Refusal,
  REQUEST,
  thumbprint,
  verifyApproval,
} from "@countersign/core";
import type {
  BundleKey,
  Bytes,
  CredentialStatement,
  Digest,
  Entry,
  Measurement,
  OwnerSignature,
  PresignedConsent,
  RefusalCode,
  Statement,
} from "@countersign/core";
import { jitteredDelayMs } from "@countersign/node";
import type { Agents } from "../agents/agents.ts";
import { stopOf } from "../agents/stops.ts";
import type { ProxyWorld } from "../world.ts";
import { PresignedFiles } from "./files.ts";
import type { Kept } from "./files.ts";
import { lastState, makeMaterial } from "./material.ts";
import type { Material } from "./material.ts";

/** What an owner's program brings back. */
export interface SignedConsent {
  readonly statement: Bytes;
  readonly sig: OwnerSignature;
  readonly key: BundleKey;
}

/** An R that was handed out to be signed for, and what was measured then. */
interface Draft {
  readonly octets: string;
  readonly entry: string;
  readonly measurements: readonly Measurement[];
}

const MAX_DRAFTS = 16;
const MAX_KEPT = 64;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 300_000;

/** What the server says of the approval itself. Anything else is of the moment or the way, and is tried again. */
const FINAL: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "approval_expired",
  "approval_unsuitable",
  "challenge_mismatch",
  "counter_regressed",
  "entry_not_served",
  "entry_unknown",
  "halted",
  "key_not_enrolled",
  "key_reused",
  "namespace_mismatch",
  "origin_mismatch",
  "replayed",
  "request_expired",
  "request_invalid",
  "signature_invalid",
  "statement_invalid",
  "user_not_present",
  "user_not_verified",
]);

/**
 * Approvals that the owner signs on this host while the server cannot be asked (DESIGN 4, agent-mediated): hands out
 * what is to be signed, keeps what was signed, durably, and brings it to the server once that can be reached.
 */
export class Presigned {
  readonly #world: ProxyWorld;
  readonly #agents: Agents;
  readonly #files: PresignedFiles;
  readonly #drafts: Map<Digest, Draft> = new Map();
  #kept: Promise<Map<Digest, Kept>> | undefined;
  #isBringing = false;
  #isWanted = false;
  #attempt = 0;
  #cancelTimer: () => void = () => undefined;
  #isClosed = false;

  constructor(world: ProxyWorld, agents: Agents, data: string) {
    this.#world = world;
    this.#agents = agents;
    this.#files = new PresignedFiles(world.c, data);
  }

  /** See `makeMaterial`. R is remembered until the proxy ends: only what this proxy made and measured is taken back. */
  async material(of: { readonly agent: string; readonly pid?: number }): Promise<Material> {
    const made = await makeMaterial(this.#world, this.#agents, of);
    const [oldest] = this.#drafts.keys();
    if (this.#drafts.size >= MAX_DRAFTS && oldest !== undefined) this.#drafts.delete(oldest);
    const { request, entry, measurements } = made;
    this.#drafts.set(request.digest, { octets: request.octets, entry: entry.id, measurements });
    return made;
  }

  /**
   * Keeps an approval, durably, after the checks that the server will make, as far as they can be made here.
   * @throws Refusal as `decidePresigned` and `verifyApproval`; `not_found` for an R that was not handed out, `rate_limited`
   */
  async keep(signed: SignedConsent): Promise<Kept> {
    const statement = readStatement(this.#world.c, signed.statement, { preSigned: true });
    if (!isCredentialStatement(statement))
      throw new Refusal("approval_unsuitable", "the statement is of another kind");
    const draft = this.#drafts.get(statement.body.req);
    if (draft === undefined)
      throw new Refusal(
        "not_found",
        "not a request that this proxy has handed out since it was started",
        "Make it anew: countersign owner presign AGENT --key FILE.",
      );
    await this.#judge(draft, statement, signed);
    const kept = await this.#all();
    if (kept.size >= MAX_KEPT && !kept.has(statement.cs))
      throw new Refusal("rate_limited", "too many approvals wait here");
    const posted = { request: draft.octets, statement: signed.statement, sig: signed.sig };
    const made: Kept = { posted, statement, entry: draft.entry, state: "waiting" };
    await this.#put(made);
    this.#drafts.delete(statement.body.req);
    this.#world.log.info("presigned.kept", { entry: draft.entry, cs: statement.cs });
    this.bring();
    return made;
  }

  async #judge(
    draft: Draft,
    statement: Statement<CredentialStatement>,
    { sig, key }: SignedConsent,
  ): Promise<void> {
    const w = this.#world;
    const state = lastState(w);
    const entry: Entry = this.#agents.entry(draft.entry);
    const { pages } = w.server();
    const options = pages === undefined ? {} : { pages };
    const approval = await verifyApproval(w.c, statement, sig, key, options);
    const request = await open(w.c, REQUEST, draft.octets);
    const proxy = w.identity().id;
    const of: PresignedConsent = { request, approval, proxy };
    const { agent, owner } = statement.body;
    const names = { entry: entry.id, owner: owner.id, agent: agent.id, proxy, cs: statement.cs };
    const stop = stopOf(state, names);
    const enrolled = {
      jkt: thumbprint(w.c, key.jwk),
      jwk: key.jwk,
      owner: owner.id, // that the key is the owner's, the server says
      ownerKind: "person",
      isSoftware: key.app === undefined,
      basis: "tofu",
    } as const;
    const { issuer, trustDomain } = state;
    const known = { entry, key: enrolled, stops: stop === undefined ? [] : [stop] };
    const unknown = { wasStopped: false, isOfServer: false, issuer, trustDomain };
    decidePresigned(of, { ...known, ...unknown }, w.clock());
    if (canonicalJson([...agent.meas]) !== canonicalJson([...draft.measurements]))
      throw new Refusal("approval_unsuitable", "not the program that was measured");
  }

  /** What is kept, oldest signature first. */
  async list(): Promise<readonly Kept[]> {
    return [...(await this.#all()).values()].toSorted(
      (a, b) => a.statement.body.iat - b.statement.body.iat,
    );
  }

  /** Brings what waits to the server, now; what fails in passing is tried again later. */
  bring(): void {
    if (this.#isClosed) return;
    this.#cancelTimer();
    this.#isWanted = true;
    if (!this.#isBringing) void this.#run();
  }

  /** One round at a time; what is wanted meanwhile is one more. */
  async #run(): Promise<void> {
    this.#isBringing = true;
    while (this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      try {
        await this.#bringAll();
      } catch (error) {
        this.#world.log.error("presigned.failed", { error });
        this.#again();
      }
    }
    this.#isBringing = false; // in the same step that found nothing more wanted
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  async #bringAll(): Promise<void> {
    let isPassing = false;
    for (const item of await this.list()) {
      if (item.state === "waiting") isPassing = (await this.#bringOne(item)) || isPassing;
      else await this.#forget(item);
    }
    if (isPassing) this.#again();
    else this.#attempt = 0;
  }

  /** @returns whether it still waits */
  async #bringOne(item: Kept): Promise<boolean> {
    const { entry, posted, statement } = item;
    const { cs, body } = statement;
    try {
      if (this.#world.clock() >= body.exp) throw new Refusal("approval_expired", "not in its time");
      const answer = await this.#world.useLink(({ uplink }) => uplink.presigned(posted));
      if (answer.cs !== cs) throw new Refusal("indeterminate", "the answer names another approval");
      await this.#put({ ...item, state: "accepted" });
      this.#world.log.info("presigned.accepted", { entry, cs, until: body.grant.exp });
      return false;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (!FINAL.has(error.code)) return true;
      await this.#put({ ...item, state: "refused", reason: error.code });
      const said = { entry, cs, reason: error.code, detail: error.message };
      this.#world.log.warn("presigned.refused", said);
      return false;
    }
  }

  /** What came to an end is shown for as long as the statement could have been used. */
  async #forget(item: Kept): Promise<void> {
    if (this.#world.clock() < item.statement.body.exp) return;
    await this.#files.remove(item);
    (await this.#all()).delete(item.statement.cs);
  }

  #again(): void {
    if (this.#isClosed) return;
    this.#cancelTimer();
    this.#attempt += 1;
    const { random, timers } = this.#world;
    const delay = jitteredDelayMs(random, this.#attempt, FIRST_RETRY_MS, LONGEST_RETRY_MS);
    this.#cancelTimer = timers.after(delay + FIRST_RETRY_MS, () => this.bring());
  }

  async #put(item: Kept): Promise<void> {
    const kept = await this.#all();
    await this.#files.write(item);
    kept.set(item.statement.cs, item);
  }

  #all(): Promise<Map<Digest, Kept>> {
    this.#kept ??= this.#files
      .all()
      .then((found) => new Map(found.map((item) => [item.statement.cs, item])))
      .catch((error: unknown) => {
        this.#kept = undefined; // read again next time
        throw error;
      });
    return this.#kept;
  }
}
