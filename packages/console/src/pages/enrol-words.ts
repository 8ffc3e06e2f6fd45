import { short } from "../key-sheet.ts";
import type { OfferEnd } from "../offered-key.ts";
import { h } from "../ui/dom.ts";
import type { Child } from "../ui/dom.ts";

export type EmptyEnd = Exclude<OfferEnd, "enrolled">;

const FRESH =
  "Ask whoever gave you the link for another one. The passkey on this device opens nothing: delete it there.";

/** How a key that waited for the terminal came to nothing: a title, what happened, and what to do next. */
export const ENDS: Readonly<
  Record<EmptyEnd, readonly [title: string, what: string, next: string]>
> = {
  declined: ["The terminal said no", "No key was enrolled, and the code works no longer.", FRESH],
  cancelled: [
    "The link is cancelled",
    "Its code was typed a second time, or somebody cancelled it. No key was enrolled: somebody else may have the code.",
    FRESH,
  ],
  over: [
    "The ten minutes are over",
    "Nobody said yes in the terminal in time. No key was enrolled.",
    FRESH,
  ],
  gone: [
    "The link is good no longer",
    "Another link, or another key of yours, has taken its place. No key was enrolled.",
    FRESH,
  ],
  unheard: [
    "The server has not answered",
    "The ten minutes are over, and this page has not heard what came of the key.",
    "If the terminal says that it is enrolled, load this page anew without #/enrol and sign in. Else ask for another link.",
  ],
};

/** What is said of a key by whether another one of the owner must sign for it. */
interface Words {
  readonly title: string;
  readonly surety: readonly Child[];
  readonly next: string;
}

export function wordsOf(trustDomain: string, coSigner: string | undefined): Words {
  if (coSigner === undefined)
    return {
      title: `You become the owner of agents in ${trustDomain}.`,
      surety: [
        "Nobody else signs for this first key. Services trust it as far as they trust this server, until a second person signs for it.",
      ],
      next: "Next: 2. your new key signs for itself. 3. you compare eight characters with the terminal.",
    };
  return {
    title: "You make a passkey beside the key that you have.",
    surety: [
      "Your key ",
      h("span", { class: "mono strong" }, short(coSigner)),
      " signs for this one, in the terminal that gave you the code. Services that accept that key accept this one.",
    ],
    next: "Next: 2. your new key signs for itself. 3. in the terminal you compare eight characters, and let your other key sign.",
  };
}
