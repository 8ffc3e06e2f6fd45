import type { Crypto, Digest, Jwk, Seconds } from "../crypto.ts";
import { readConfirmationJwk } from "../jose/jwk.ts";
import type { SignedType } from "../jose/signed.ts";
import { Members } from "../json/read.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { readEatAi } from "./eat-ai.ts";
import { present, readHostFacts, readManifestFact, readProcessFacts } from "./facts.ts";
import type { AgentSubmod, HostSubmod } from "./facts.ts";
import { readRunFact, writeRunFact } from "./run.ts";
import type { RunFact } from "./run.ts";

/** The one profile of evidence that is understood (RFC 9711 section 4.3.2: unknown is refused). */
export const EVIDENCE_PROFILE = "tag:countersign.example,2026:agent-proxy-evidence#1";

/** Evidence E: what the proxy saw of one process for one request. */
export interface EvidenceClaims {
  /** The server's nonce, as it stands in R. */
  readonly eatNonce: string;
  readonly aud: string;
  readonly iat: Seconds;
  /** The key to be certified. */
  readonly key: Jwk;
  /** Digest of R's octets. */
  readonly req: Digest;
  /** RFC 9711 section 4.2.1, base64url of at most 33 octets. */
  readonly ueid?: string;
  readonly swname?: string;
  /** Version, and the number of its scheme. */
  readonly swversion?: readonly [string] | readonly [string, number];
  /** Boot id, base64url. A change means: measured on another boot. */
  readonly bootseed?: string;
  /** Absent where the program did not come through a run door. */
  readonly run?: RunFact;
  readonly submods: { readonly host: HostSubmod; readonly agent: AgentSubmod };
}

const CODE = "evidence_invalid";
const BASE64URL = /^[A-Za-z0-9_-]+$/;

function sub(item: Json): Members {
  return new Members(item, CODE, "list item");
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function readSwversion(m: Members): NonNullable<EvidenceClaims["swversion"]> {
  const value = m.raw("swversion");
  if (!isList(value) || value.length > 2) return m.fail("swversion", "is not a list of one or two");
  const [version, scheme] = value;
  if (typeof version !== "string" || version.length > 64)
    return m.fail("swversion", "is not a version");
  if (scheme === undefined) return [version];
  if (typeof scheme !== "number" || !Number.isSafeInteger(scheme))
    return m.fail("swversion", "names no scheme");
  return [version, scheme];
}

function readAgent(m: Members): AgentSubmod {
  const manifest = m.optional("countersign_manifest", (name) =>
    m.list(name, (item) => readManifestFact(sub(item)), 8),
  );
  if (new Set(manifest?.map(({ n }) => n)).size !== (manifest?.length ?? 0))
    m.fail("countersign_manifest", "names one thing twice");
  return {
    ...readEatAi(m),
    countersign_proc: readProcessFacts(m.object("countersign_proc"), sub),
    ...present({ countersign_manifest: manifest }),
  };
}

function readKey(m: Members, c: Crypto): Jwk {
  const { key, alg } = readConfirmationJwk(m.object("cnf").raw("jwk"));
  if (alg !== "ES256") throw new Refusal("forbidden_confirmation_alg");
  if (!c.isValidKey(key)) throw new Refusal("invalid_key");
  return key;
}

function readClaims(payload: JsonObject, c: Crypto): EvidenceClaims {
  const m = new Members(payload, CODE);
  m.choice("eat_profile", [EVIDENCE_PROFILE]);
  const submods = m.object("submods");
  const text = (name: string): string => m.text(name, { maxLength: 128 });
  const octets = (name: string): string => m.text(name, { maxLength: 88, pattern: BASE64URL });
  return {
    eatNonce: m.text("eat_nonce", { minLength: 8, maxLength: 88, pattern: BASE64URL }),
    aud: m.text("aud", { maxLength: 512 }),
    iat: m.integer("iat"),
    key: readKey(m, c),
    req: m.digest("req"),
    ...present({
      ueid: m.optional("ueid", octets),
      swname: m.optional("swname", text),
      swversion: m.optional("swversion", () => readSwversion(m)),
      bootseed: m.optional("bootseed", octets),
      run: m.optional("countersign_run", (name) => readRunFact(m.object(name))),
    }),
    submods: {
      host: { countersign_os: readHostFacts(submods.object("host").object("countersign_os")) },
      agent: readAgent(submods.object("agent")),
    },
  };
}

/**
 * Evidence as a compact JWS, `typ: eat+jwt`, ES256 by the proxy's key. Open: claims that nobody here knows are
 * ignored, and are not facts. Known claims of another type refuse.
 */
export const EVIDENCE: SignedType<EvidenceClaims> = {
  typ: "eat+jwt",
  key: "given",
  algs: ["ES256"],
  maxBytes: 16 * 1024,
  invalid: CODE,
  read: readClaims,
  write: (claims) => ({
    eat_profile: EVIDENCE_PROFILE,
    eat_nonce: claims.eatNonce,
    aud: claims.aud,
    iat: claims.iat,
    cnf: { jwk: { ...claims.key, alg: "ES256" } },
    req: claims.req,
    ueid: claims.ueid,
    swname: claims.swname,
    swversion: claims.swversion,
    bootseed: claims.bootseed,
    countersign_run: claims.run === undefined ? undefined : writeRunFact(claims.run),
    submods: claims.submods,
  }),
};

/** Names of what a statement can measure. */
export const MEASUREMENT_NAMES = [
  "binary",
  "image",
  "manifest",
  "model",
  "prompt",
  "script",
  "tools",
] as const;
export type MeasurementName = (typeof MEASUREMENT_NAMES)[number];

/** The measurements of the agent, unique and sorted by name as a statement lists them. */
export function measurementsOf(
  claims: Pick<EvidenceClaims, "submods">,
): readonly { readonly n: MeasurementName; readonly d: Digest }[] {
  const { countersign_proc: proc, countersign_manifest: manifest } = claims.submods.agent;
  const found: Partial<Record<MeasurementName, Digest>> = { binary: proc.exe.d };
  const [script] = proc.args;
  if (script !== undefined) found.script = script.d;
  if (proc.container !== undefined) found.image = proc.container.image;
  for (const { n, d } of manifest ?? []) found[n] = d;
  return MEASUREMENT_NAMES.flatMap((n) => {
    const d = found[n];
    return d === undefined ? [] : [{ n, d }];
  });
}
