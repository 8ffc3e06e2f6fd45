import { base64url, Members, parseJson, Refusal } from "@countersign/core";
import type { Bytes, Digest, Json } from "@countersign/core";
import { call } from "@countersign/node";
import type { Target } from "@countersign/node";

/** What the runtime says of one of its containers. */
export interface ContainerWord {
  /** Its first process, as the host numbers it. */
  readonly pid: number;
  readonly image: Digest;
  readonly isRootReadOnly: boolean;
  /** What that process was started with, the program's name first. */
  readonly command: readonly string[];
}

/**
 * Asks the container runtime of this host. Undefined where it runs no container of that id.
 * @throws Refusal `indeterminate` without a readable answer in time: a fact that cannot be had is not left out
 */
export type AskContainer = (id: string) => Promise<ContainerWord | undefined>;

const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_ARGUMENTS = 256;
const ANSWER_MS = 5_000;
const MALFORMED = "malformed_json";

const text = (item: Json): string => {
  if (typeof item === "string") return item;
  throw new Refusal(MALFORMED, "an argument is no text");
};

/**
 * Reads `GET /containers/ID/json` of the Docker API, which Podman serves as well. Open: a runtime says much more.
 * @throws Refusal `malformed_json`, `too_large`
 */
export function readContainer(body: Bytes, id: string): ContainerWord | undefined {
  const json = parseJson(body, {
    maxBytes: MAX_ANSWER_BYTES,
    maxDepth: 16,
    nullAllowed: true,
    fractionsAllowed: true,
  });
  const members = new Members(json, MALFORMED, "container");
  const state = members.object("State");
  if (members.text("Id") !== id) members.fail("Id", "is another one");
  if (!state.flag("Running")) return undefined;
  const image = members.text("Image", { pattern: /^sha256:[0-9a-f]{64}$/ }).slice("sha256:".length);
  return {
    pid: state.integer("Pid", 1, 0xffff_ffff),
    image: `sha-256:${base64url(Buffer.from(image, "hex"))}`,
    isRootReadOnly: members.object("HostConfig").flag("ReadonlyRootfs"),
    command: [
      members.text("Path", { maxLength: 4096 }),
      ...members.list("Args", text, MAX_ARGUMENTS),
    ],
  };
}

/** Asks over the API's socket; whoever can connect to that socket is root, so it never comes from an agent. */
export function askByApi(target: Target): AskContainer {
  return async (id) => {
    try {
      const { status, body } = await call(target, {
        method: "GET",
        path: `/containers/${id}/json`,
        timeoutMs: ANSWER_MS,
        maxBytes: MAX_ANSWER_BYTES,
      });
      if (status === 404) return undefined;
      if (status !== 200) throw new Refusal("unreachable", `answered ${status}`);
      return readContainer(body, id);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new Refusal(
        "indeterminate",
        `the container runtime was not understood: ${error.message}`,
        "Look whether the runtime answers at container_api of proxy.yaml, then ask again.",
      );
    }
  };
}
