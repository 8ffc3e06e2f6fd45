import type { KeyChange, NoticeCause } from "./notice.ts";

/** The part of a notice that is put into words. */
export interface NoticeWords {
  readonly kind: NoticeCause["kind"] | "digest";
  readonly agent?: string;
  readonly waiting?: number;
  readonly change?: KeyChange;
}

const NOT_YOU = "If it was not you, stop everything and have it taken away.";

const KEY_WORDS: Readonly<Record<KeyChange, string>> = {
  added: `A key was added to yours. ${NOT_YOU}`,
  removed: "One of your keys was taken away.",
  suspended: "One of your keys was suspended. Look at your keys.",
  resumed: "A suspended key of yours signs again. Look at your keys.",
  recovery_announced: "A recovery of your keys was announced. If it was not you, cancel it.",
  recovery_cancelled: "A recovery of your keys was cancelled.",
  codes_made:
    "New stop codes of yours were made, and the old ones stop nothing. If it was not you, make new ones.",
  recovered: `Your keys were recovered with a new one. ${NOT_YOU}`,
};

/**
 * A notice in words, for every channel: who waits, and to open the inbox. It holds nothing that an agent can choose, and no
 * link: whoever is told by a stranger to follow one, follows the stranger's too.
 */
export function noticeWords({ kind, agent, waiting = 0, change }: NoticeWords): string {
  if (kind === "key")
    return change === undefined ? "Your keys have changed. Look at them." : KEY_WORDS[change];
  if (kind === "request") return `${agent ?? "An agent"} asks for you. Open your inbox.`;
  return waiting === 1
    ? "1 question waits for you. Open your inbox."
    : `${waiting} questions wait for you. Open your inbox.`;
}
