import type { JsonObject } from "@countersign/core";
import { Problem } from "./api.ts";
import { text } from "./read.ts";

/**
 * What has become of a key that waited. `gone`: the server knows nothing of it any more. `unheard`: it has not answered, and
 * the time is over.
 */
export type OfferEnd = "enrolled" | "declined" | "cancelled" | "over" | "gone" | "unheard";

/** Far below what the server takes from one address within a minute. */
const ASK_MS = 5000;

const ENDS: readonly OfferEnd[] = ["enrolled", "declined", "cancelled", "over"];

/** How a key that waits is asked about. */
export interface Following {
  /** Asks the server for its state. */
  readonly ask: () => Promise<JsonObject>;
  /** Whether its page is still shown. */
  readonly isShown: () => boolean;
  /** Whether its time is over, whatever the server says. */
  readonly isLate: () => boolean;
  /** Told after each question whether it was answered. */
  readonly heard: (isAnswered: boolean) => void;
  readonly pause?: (ms: number) => Promise<void>;
}

const later = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    window.setTimeout(resolve, ms);
  });

/** @returns undefined while it waits, or where nobody answered */
async function endOf({ ask, heard }: Following): Promise<OfferEnd | undefined> {
  try {
    const state = text(await ask(), "state");
    heard(true);
    return ENDS.find((end) => end === state);
  } catch (error) {
    // another link, or another key, has taken its place
    if (error instanceof Problem && error.reason === "invitation_invalid") return "gone";
    heard(false);
    return undefined;
  }
}

/** Follows a key that waits for its co-signer to its end. @returns undefined where its page was left before */
export async function offerEnd(following: Following): Promise<OfferEnd | undefined> {
  const { isShown, isLate, pause = later } = following;
  for (;;) {
    await pause(ASK_MS);
    if (!isShown()) return undefined;
    const end = await endOf(following);
    if (!isShown()) return undefined;
    if (end !== undefined) return end;
    if (isLate()) return "unheard";
  }
}
