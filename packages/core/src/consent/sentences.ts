import type { Seconds } from "../crypto.ts";
import type { CeilingEntry } from "./ceiling.ts";
import { marksOf } from "./marks.ts";
import { ownersOf } from "./parties.ts";
import type { Parties } from "./parties.ts";
import type { CredentialStatement } from "./statement.ts";
import { fill, fillWords, literal, value } from "./view-words.ts";
import type { Filling, Run, Template } from "./view-words.ts";

/** Sentences that belong together. With marks it is a marked line, which must have been seen before signing. */
export interface Paragraph {
  readonly marks: readonly string[];
  readonly runs: readonly Run[];
}

/** One clause of the sheet: its margin word and what it says. */
export interface Clause {
  readonly heading: string;
  readonly paragraphs: readonly Paragraph[];
}

const SHORT_LENGTH = 8;
const MAX_VALUE_LENGTH = 120;
const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

type Body = CredentialStatement;
type Fillings = Readonly<Record<string, Filling>>;

/** Makes the sentences of one statement with the words of one template; it has none of its own. */
export class Sentences {
  readonly #template: Template;
  readonly #body: Body;

  constructor(template: Template, body: Body) {
    this.#template = template;
    this.#body = body;
  }

  title(): readonly Run[] {
    const { decision, agent } = this.#body;
    return this.#fill(`title.${decision}`, { name: value(agent.id.split("/").at(-2) ?? "") });
  }

  clauses(): readonly Clause[] {
    return [
      this.#clause("who", this.#who()),
      this.#clause("long", this.#long()),
      this.#clause("may", this.#may()),
      this.#clause("undo", this.#undo()),
      this.#clause("sign", this.#sign()),
    ];
  }

  #fill(row: string, fillings: Fillings = {}): readonly Run[] {
    return fill(this.#template, row, fillings);
  }

  #words(row: string, fillings: Readonly<Record<string, string | number>> = {}): string {
    return fillWords(this.#template, row, fillings);
  }

  #clause(row: string, paragraphs: readonly Paragraph[]): Clause {
    return { heading: this.#words(row), paragraphs };
  }

  #marked(marks: readonly string[], runs: readonly Run[]): Paragraph {
    return { marks: marks.map((mark) => this.#words(`mark.${mark}`)), runs };
  }

  /** A value; over 120 characters cut between characters, saying so. */
  #value(text: string): readonly Run[] {
    let inside = "";
    for (const character of text) {
      const escaped = literal(character).slice(1, -1);
      if (inside.length + escaped.length > MAX_VALUE_LENGTH)
        return this.#fill("cut", { value: { value: inside } });
      inside += escaped;
    }
    return [{ value: inside }];
  }

  #list(items: readonly string[]): readonly Run[] {
    return items
      .map((item) => this.#value(item))
      .reduce((before, item, i) =>
        this.#fill(i === items.length - 1 ? "list.two" : "list.more", { a: before, b: item }),
      );
  }

  #duration(seconds: Seconds): string {
    let rest = seconds;
    const parts = UNITS.flatMap(([unit, size]) => {
      const n = Math.floor(rest / size);
      rest -= n * size;
      return n === 0 ? [] : [this.#words(`${unit}.${n === 1 ? "one" : "many"}`, { n })];
    });
    return parts.join(" ");
  }

  #time(at: Seconds): string {
    const [, hour = "", minute = ""] = /T(\d\d):(\d\d)/.exec(isoTime(at)) ?? [];
    return this.#words("time", { hour, minute });
  }

  #date(at: Seconds): string {
    const [, year = "", month = "", day = ""] = /^(\d+)-(\d\d)-(\d\d)/.exec(isoTime(at)) ?? [];
    return this.#words("date", {
      day: String(Number(day)),
      month: this.#words(`month.${Number(month)}`),
      year,
      time: this.#time(at),
    });
  }

  #who(): readonly Paragraph[] {
    const { agent, td } = this.#body;
    const host = agent.host?.split("/").at(-1);
    const measured = agent.meas.map(({ n, d }) =>
      this.#fill("who.measured", { what: this.#words(`measured.${n}`), d: short(d) }),
    );
    return [
      plain(this.#fill("who.id", { id: this.#value(agent.id) })),
      host === undefined
        ? this.#marked(["any_host"], this.#fill("who.any_host", { td: this.#value(td) }))
        : plain(this.#fill("who.host", { host: this.#value(host) })),
      plain(
        this.#fill("who.key", { jkt: short(agent.jkt) }),
        ...measured,
        this.#fill("who.change"),
      ),
    ];
  }

  #long(): readonly Paragraph[] {
    const { grant } = this.#body;
    const span = {
      nbf: this.#date(grant.nbf),
      exp: this.#date(grant.exp),
      length: this.#duration(grant.exp - grant.nbf),
    };
    const count = `long.count.${grant.max_issue === 1 ? "one" : "many"}`;
    const { max_issue, max_live } = grant;
    return [
      plain(
        this.#fill("long.span", span),
        this.#fill(`long.${grant.use}`),
        this.#fill("long.each", { max_ttl: this.#duration(grant.max_ttl) }),
      ),
      plain(this.#fill(count, { max_issue, max_live }), this.#fill(`long.${grant.rekey}`)),
    ];
  }

  #may(): readonly Paragraph[] {
    const { ceiling } = this.#body.grant;
    if (ceiling.length === 0) return [this.#marked(["no_limit"], this.#fill("may.no_limit"))];
    return ceiling.map((entry) => this.#entry(entry));
  }

  #entry(entry: CeilingEntry): Paragraph {
    const { locations, actions, max_calls } = entry;
    const anyAction = actions.length === 0;
    const anyPlace = locations.length === 0;
    const calls =
      max_calls === undefined
        ? ""
        : this.#words(`may.calls.${max_calls === 1 ? "one" : "many"}`, { max_calls });
    const row = anyPlace
      ? anyAction
        ? "may.anything"
        : "may.any_place"
      : anyAction
        ? "may.any_action"
        : "may.both";
    const sentence = this.#fill(row, {
      calls,
      locations: anyPlace ? "" : this.#list(locations),
      actions: anyAction ? "" : this.#list(actions),
    });
    const { class: known } = entry;
    const isHarmless = known === "read_only" || known === "reversible_write";
    const tail = isHarmless ? [this.#fill(`may.${known}`)] : [];
    return this.#marked(marksOf(entry), plain(sentence, ...tail).runs);
  }

  #undo(): readonly Paragraph[] {
    const max_ttl = this.#duration(this.#body.grant.max_ttl);
    return [plain(this.#fill("undo.stop")), plain(this.#fill("undo.late", { max_ttl }))];
  }

  #sign(): readonly Paragraph[] {
    const { owner, aud, req, view, iat, exp } = this.#body;
    const isSameDay = isoTime(iat).slice(0, 10) === isoTime(exp).slice(0, 10);
    const as = this.#fill("sign.as", {
      owner: this.#value(opaque(owner.id)),
      jkt: short(owner.jkt),
      aud: this.#value(aud),
      req: short(req),
    });
    const match = view.match === undefined ? [] : [this.#fill("sign.match", { match: view.match })];
    const once = this.#fill("sign.once", { exp: isSameDay ? this.#time(exp) : this.#date(exp) });
    const { parties } = this.#body.grant;
    const together = parties === undefined ? [] : [plain(this.#together(parties))];
    return [plain(as), ...together, plain(...match, once)];
  }

  #together(parties: Parties): readonly Run[] {
    const owners = ownersOf(parties).map(opaque);
    const n = owners.length;
    const names = this.#list(owners);
    return parties.m === n
      ? this.#fill("sign.all", { n, owners: names })
      : this.#fill("sign.some", { m: parties.m, n, owners: names });
  }
}

/** What tells owners of one trust domain apart: the last part of an id. */
function opaque(ownerId: string): string {
  return ownerId.split(":").at(-1) ?? "";
}

/** `2026-11-23T14:06:20Z` */
export function isoTime(at: Seconds): string {
  return new Date(at * 1000).toISOString().replace(".000Z", "Z");
}

/** The first eight characters of a digest or thumbprint, after its prefix. */
function short(hash: string): Run {
  return value(hash.replace(/^sha-256:/, "").slice(0, SHORT_LENGTH));
}

function plain(...sentences: readonly (readonly Run[])[]): Paragraph {
  const runs = sentences.flatMap((sentence, i) =>
    i === 0 ? sentence : [{ words: " " }, ...sentence],
  );
  return { marks: [], runs };
}
