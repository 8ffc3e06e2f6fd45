import { noticeWords } from "@countersign/core";
import type { PushMessage } from "@countersign/core";

/** What a notification says. */
export interface Words {
  readonly title: string;
  readonly body: string;
}

/** The words of a notification: those of every channel, the first sentence as its title. */
export function wordsOf({ kind, ...message }: PushMessage): Words {
  if (kind === "test")
    return { title: "Notices work on this device", body: "Nothing waits for you." };
  const words = noticeWords({ kind, ...message });
  const end = words.indexOf(". ");
  if (end < 0) return { title: words.replace(/\.$/, ""), body: "Open your console." };
  return { title: words.slice(0, end), body: words.slice(end + 2) };
}

/** Of a message that cannot be read: a browser wants something to be shown all the same. */
export const UNREAD: Words = { title: "countersign", body: "Open your inbox." };

/** Where the browser gave this device another place to be reached at: only a session can say so to the server. */
export const ENDED: Words = {
  title: "Notices on this device have ended",
  body: "Open your console to turn them on again.",
};
