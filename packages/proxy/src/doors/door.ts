import type { CollectOptions, Facts } from "../facts/process.ts";
import type { Peer } from "../facts/peer.ts";

/** What a door must know of its registration entry. */
export interface DoorEntry extends CollectOptions {
  /** `spiffe://<trust domain>/agent/<name>` */
  readonly id: string;
}

/**
 * A socket that belongs to one entry: the door says who is meant, the kernel's facts only confirm.
 */
export interface Door {
  readonly entry: DoorEntry;
  /** Path of its socket, under 100 bytes. */
  readonly path: string;
  /**
   * Judges one connection's peer and measures it; the peer stays the caller's to close. Nothing is kept between
   * calls: ask again for each answer.
   * @throws Refusal `peer_unexpected`, and those of `collectFacts`
   */
  admit(peer: Peer): Promise<Facts>;
  /** Stops listening and removes the socket; a second call does nothing. */
  close(): Promise<void>;
}

/** What listens on a door's socket. */
export interface Listening {
  close(): Promise<void>;
}

/** Starts to serve a door on `door.path`; resolves when it listens. The caller sets mode and owner after that. */
export type Listen = (door: Door) => Promise<Listening>;
