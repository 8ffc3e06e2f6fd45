import { TextDecoder } from "node:util";
import { Refusal } from "@countersign/core";
import type { Bytes } from "@countersign/core";

/** One server-sent event. */
export interface ServerEvent {
  /** Its name; `message` where none was given. */
  readonly event: string;
  readonly data: string;
}

/**
 * Reads server-sent events (WHATWG HTML 9.2) from octets as they come, split anywhere. Comments, `id` and `retry` are
 * passed over.
 * @param maxCharacters most that one event may have, unfinished ones included
 * @returns a function that takes the next octets and returns the events they finish; it throws Refusal `too_large` or
 * `malformed_request` (not UTF-8), after which it must not be used
 */
export function createEventReader(maxCharacters: number): (chunk: Bytes) => readonly ServerEvent[] {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  let searched = 0;
  let name = "";
  let data: string[] = [];
  let heldCharacters = 0;

  const takeLine = (line: string, done: ServerEvent[]): void => {
    if (line === "") {
      if (data.length > 0)
        done.push({ event: name === "" ? "message" : name, data: data.join("\n") });
      name = "";
      data = [];
      heldCharacters = 0;
      return;
    }
    heldCharacters += line.length + 1; // comments count too, until the event ends
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value =
      colon < 0 ? "" : line.slice(line.charAt(colon + 1) === " " ? colon + 2 : colon + 1);
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  };

  return (chunk) => {
    try {
      rest += decoder.decode(chunk, { stream: true });
    } catch {
      throw new Refusal("malformed_request", "the stream is not UTF-8");
    }
    const done: ServerEvent[] = [];
    let start = 0;
    for (;;) {
      const end = rest.indexOf("\n", Math.max(start, searched));
      if (end < 0) break;
      takeLine(rest.slice(start, rest.charAt(end - 1) === "\r" ? end - 1 : end), done);
      start = end + 1;
      if (heldCharacters > maxCharacters) break;
    }
    rest = rest.slice(start);
    searched = rest.length;
    if (heldCharacters + rest.length > maxCharacters)
      throw new Refusal("too_large", `an event over ${maxCharacters} characters`);
    return done;
  };
}
