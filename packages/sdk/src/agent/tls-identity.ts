import type { Seconds } from "@countersign/core";

/** A certificate and its key, for TLS. */
export interface TlsIdentity {
  /** PEM: leaf first, then issuing CAs, without the root. */
  readonly cert: string;
  /** PKCS#8 PEM, unencrypted. A secret: for a TLS stack, and for nothing that logs or stores. */
  readonly key: string;
  /** From then on neither is used. */
  readonly expiresAt: Seconds;
  /** Token of the same issue, over the same key. */
  readonly wit: string;
  /** The owner's approval, as the value of `Agent-Owner-Evidence`; absent where it does not fit a header. */
  readonly evidence?: string;
}

/** Where a TLS client or server gets its certificate from, again and again. */
export interface TlsSource {
  /** The newest; `undefined` after a stop, and after an end without a renewal. */
  readonly tlsIdentity: () => TlsIdentity | undefined;
  /** Tells of every change, the end included; returns how to stop listening. */
  readonly onTlsIdentity: (listener: () => void) => () => void;
}
