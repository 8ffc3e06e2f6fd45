import type { Bytes, Crypto, Random, Seconds, Signer } from "@countersign/core";
import type { Certificate, OwnerCa } from "@countersign/core";
import type { Log } from "@countersign/node";
import type { SignedText } from "./cases/habits.ts";
import type { ServerConfig } from "./config.ts";
import type { PushSender } from "./push/send.ts";
import type { Store } from "./store/store.ts";

/** A CA of one hierarchy that issues now. */
export interface IssuingCa {
  readonly signer: Signer;
  readonly certificate: Certificate;
}

/** A WIT signing key and its life; published before it signs and kept until what it signed has expired. */
export interface WitSigner {
  readonly signer: Signer;
  readonly nbf: Seconds;
  readonly exp: Seconds;
}

/** What the server signs with. Root keys are not among it: a running server does not need them. */
export interface ServerKeys {
  readonly agents: IssuingCa;
  readonly infrastructure: IssuingCa;
  /** All of that hierarchy that are alive: callers' certificates are of any of them. */
  readonly infrastructureIssuers: readonly Certificate[];
  /** DER of the roots. */
  readonly agentsRoot: Bytes;
  readonly infrastructureRoot: Bytes;
  /** Oldest first; the last one whose life has begun signs. */
  readonly wit: readonly WitSigner[];
  /** Public Ed25519 key that the log's checkpoints are signed with. */
  readonly logVkey: string;
  /** HMAC-SHA-256 under this server's nonce key. */
  readonly mac: (data: Bytes) => Bytes;
}

/** Everything a use case works with; made once by `main`, or by a test with clocks and keys of its own. */
export interface World {
  readonly c: Crypto;
  readonly random: Random;
  readonly clock: () => Seconds;
  readonly store: Store;
  readonly keys: ServerKeys;
  readonly config: ServerConfig;
  /** CAs that certify owners, read from the files that the configuration names; absent: none. */
  readonly ownerCas?: readonly OwnerCa[];
  /** With what notices are pushed to browsers; absent: the configuration has none. */
  readonly push?: PushSender;
  readonly log: Log;
  /** Told of every signature over a text that was opened here; absent: nobody counts. Must be quick. */
  readonly onSigned?: (signed: SignedText) => void;
}
