import { Refusal } from "@countersign/core";
import type { Cli } from "../terminal.ts";

const MAX_INPUT_BYTES = 1024;
/** pkcs11-tool takes no longer one. */
const MAX_PIN_BYTES = 100;
const LINE_FEED = 0x0a;
const FIRST_PRINTABLE = 0x20;

/** PINs in the order in which keys sign. */
export interface PinSource {
  /** @throws Refusal `malformed_request` where there is none */
  next(): Promise<Uint8Array>;
  /** Told that a token refused the one given last. */
  refused(): void;
  /** Reads no more. */
  close(): void;
}

/**
 * PINs from standard input, one a line, never from an argument or the environment. A line is read when its key signs;
 * who writes may keep the pipe open.
 * @throws Refusal `malformed_request` for a terminal
 */
export function pinsFromInput({ stdin }: Pick<Cli, "stdin">): PinSource {
  if (stdin.isTTY)
    throw new Refusal(
      "malformed_request",
      "standard input is a terminal, which would show the PIN",
      "Leave out --pin-stdin: the token asks for its PIN, and shows nothing of it.",
    );
  const chunks: AsyncIterator<Buffer | string, undefined> = stdin[Symbol.asyncIterator]();
  let rest = Buffer.alloc(0);
  const line = async (): Promise<Uint8Array> => {
    while (!rest.includes(LINE_FEED)) {
      const { done, value } = await chunks.next();
      if (done === true) break;
      rest = Buffer.concat([rest, Buffer.from(value)]);
      if (rest.length > MAX_INPUT_BYTES) throw new Refusal("too_large", "standard input");
    }
    const end = rest.indexOf(LINE_FEED);
    const own = rest.subarray(0, end < 0 ? rest.length : end);
    rest = rest.subarray(end < 0 ? rest.length : end + 1);
    return own;
  };
  return {
    next: async () => {
      const pin = await line();
      const isFit = pin.length > 0 && pin.length <= MAX_PIN_BYTES;
      if (isFit && pin.every((octet) => octet >= FIRST_PRINTABLE)) return pin;
      throw new Refusal(
        "malformed_request",
        "there is no PIN on standard input",
        "Write one line for each key of a token that signs: its PIN.",
      );
    },
    refused: () => undefined, // each key has a line of its own, and signs once
    close: () => void stdin.destroy(),
  };
}

/**
 * One PIN for every signature of a process at which nobody sits. One that the token refused is never given again: a few
 * more would lock it.
 */
export function heldPin(from: PinSource): PinSource {
  let held: Uint8Array | undefined;
  let isRefused = false;
  return {
    next: async () => {
      if (isRefused)
        throw new Refusal(
          "token_refused",
          "it refused this PIN before",
          "Nothing more is tried with it. Start the command again with the right PIN.",
        );
      held ??= Uint8Array.from(await from.next());
      return held.slice();
    },
    refused: () => {
      isRefused = true;
      held?.fill(0);
    },
    close: () => from.close(),
  };
}
