import type { Crypto, Seconds } from "@countersign/core";
import type { Api } from "./api.ts";
import type { Liveness } from "./live.ts";

/** Who signed in, and with which key. A session reads, denies and stops; it never grants. */
export interface Session {
  readonly owner: { readonly id: string; readonly name: string };
  readonly jkt: string;
  /** Second at which the session ends. */
  readonly until: Seconds;
  readonly keys: readonly OwnKey[];
}

/** A key of the owner with which this browser could sign. */
export interface OwnKey {
  readonly jkt: string;
  readonly name: string;
  readonly credentialId: string;
}

/** What the console knows of the server it belongs to, before anybody signs in. */
export interface Place {
  readonly trustDomain: string;
  readonly issuer: string;
  readonly rpId: string;
}

export interface App {
  readonly c: Crypto;
  readonly api: Api;
  readonly place: Place;
  readonly session: Session;
  /** Seconds since the epoch, by the server's clock as far as it is known. */
  now(): Seconds;
  liveness(): Liveness;
  /** Calls back when something of the owner's changed, and when liveness did; returns how to stop. */
  onChange(listener: () => void): () => void;
  /** Says something to screen readers: politely, or at once. */
  say(text: string, how?: "polite" | "assertive"): void;
  go(hash: string): void;
}

/** One page while it is shown. */
export interface Page {
  readonly title: string;
  readonly root: HTMLElement;
  /** On a request the bar of decisions stands in the place of the tabs. */
  readonly hidesTabs?: boolean;
  close(): void;
}

/** Makes a page from what follows its name in the address. */
export type PageMaker = (app: App, parameter: string) => Page;
