import {
  buildIssuingCa,
  buildRoot,
  buildWic,
  parseCertificate,
  pemEncode,
} from "@countersign/core";
import type { Bytes, Certificate, Signer, Trust } from "@countersign/core";
import { makeStory, strangerKey } from "../../../core/src/verify/story.testing.ts";
import { makeKey } from "../agent/key.ts";
import type { TlsIdentity, TlsSource } from "../agent/tls-identity.ts";
import { webCrypto } from "../verify/index.ts";
import type { TlsPlatform } from "./tls-life.ts";

const c = webCrypto();

/** OpenSSL compares with the host's clock: what is made here is valid from 2000 until after `NOW`, in 2046. */
export const NOW = 2_400_000_000;
const NOT_BEFORE = 946_684_800;
const FAR = 2_493_072_000;
export const ORIGIN = "spiffe://example.org";
export const CALLER = `${ORIGIN}/agent/caller/0011223344556677`;
export const SERVICE = `${ORIGIN}/agent/service/8899aabbccddeeff`;

let serials = 0;
function serial(): Bytes {
  serials += 1;
  return new Uint8Array(16).fill(serials % 100).fill(1 + (serials >> 6), 0, 1);
}

/** A trust domain's CAs. */
export interface Domain {
  readonly root: Bytes;
  readonly issuing: Certificate;
  readonly by: Signer;
  readonly issuingDer: Bytes;
}

export async function makeDomain(origin = ORIGIN): Promise<Domain> {
  const [top, by] = [strangerKey(), strangerKey()];
  const life = { notBefore: NOT_BEFORE, notAfter: FAR };
  const base = { ...life, origin, hierarchy: "agents" as const, name: "test" };
  const root = await buildRoot(c, { ...base, serial: serial() }, top);
  const issuer = parseCertificate(root);
  const issuingDer = await buildIssuingCa(
    c,
    { ...base, serial: serial(), key: by.key, issuer },
    top,
  );
  return { root, issuing: parseCertificate(issuingDer), by, issuingDer };
}

/** Trust in these roots, where a caller's name is enough. */
export async function trustOf(...roots: readonly Bytes[]): Promise<Trust> {
  const { domain } = await makeStory();
  return new Map([[ORIGIN, { ...domain, bundle: { ...domain.bundle, roots, exp: FAR } }]]);
}

/** A certificate of an agent, until `end`. */
export async function identityOf(
  domain: Domain,
  uri: string,
  end: number = NOW + 900,
): Promise<TlsIdentity> {
  const { signer, pem } = makeKey();
  const life = { notBefore: NOT_BEFORE, notAfter: end };
  const template = { ...life, serial: serial(), key: signer.key, issuer: domain.issuing, uri };
  const leaf = await buildWic(c, template, domain.by);
  return {
    cert: [leaf, domain.issuingDer].map((der) => pemEncode("CERTIFICATE", der)).join(""),
    key: pem(),
    expiresAt: end,
    wit: "e30.e30.AA",
  };
}

/** A source that a test renews and stops. */
export class Source implements TlsSource {
  #identity: TlsIdentity | undefined;
  readonly #listeners: Set<() => void> = new Set();

  constructor(identity: TlsIdentity | undefined) {
    this.#identity = identity;
  }

  readonly tlsIdentity = (): TlsIdentity | undefined => this.#identity;

  readonly onTlsIdentity = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set(identity: TlsIdentity | undefined): void {
    this.#identity = identity;
    for (const listener of this.#listeners) listener();
  }
}

/** Time that stands still until it is moved. */
export class Hands implements TlsPlatform {
  now: number = NOW;
  readonly #waiting: Set<{ readonly at: number; readonly run: () => void }> = new Set();

  readonly clock = (): number => this.now;

  readonly after = (delayMs: number, run: () => void): (() => void) => {
    const waiting = { at: this.now + delayMs / 1000, run };
    this.#waiting.add(waiting);
    return () => this.#waiting.delete(waiting);
  };

  pass(seconds: number): void {
    this.now += seconds;
    for (const waiting of [...this.#waiting].filter(({ at }) => at <= this.now)) {
      this.#waiting.delete(waiting);
      waiting.run();
    }
  }
}
