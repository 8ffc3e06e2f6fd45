import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeOwnerJws, Refusal } from "@countersign/core";
import type { Bytes, EcJwk, OwnerPublicKey } from "@countersign/core";
import { nodeCrypto, printable } from "@countersign/node";
import { jwsInputLine, shellLine } from "../sign-lines.ts";
import type { OwnerSigner } from "../signing.ts";
import type { Cli } from "../terminal.ts";
import { jwkOfObject } from "./ec.ts";
import { isKey, isToken, readKeyObjects, readTokens } from "./listing.ts";
import type { KeyObject, Token } from "./listing.ts";
import { moduleOf } from "./module.ts";
import type { PinSource } from "./pins.ts";
import { isPinRefused, tokenRefusal } from "./refused.ts";
import { LIST_TIMEOUT_MS, runTool, SIGN_TIMEOUT_MS, TOOL } from "./tool.ts";
import type { PinWay, ToolAnswer } from "./tool.ts";
import { parsePkcs11Uri } from "./uri.ts";
import type { Pkcs11Uri } from "./uri.ts";

const MAX_SHOWN = 8;
const RAW_SIGNATURE_BYTES = 64;

/** A key of a token, found: its public part is read, nobody has logged in. */
interface Located {
  readonly module: string;
  readonly token: Token;
  readonly object: KeyObject;
  readonly jwk: EcJwk;
}

/** Calls of the tool that need no PIN: everything public is read without one. */
async function ask(cli: Cli, args: readonly string[]): Promise<ToolAnswer> {
  const answer = await runTool({
    args,
    env: cli.env.all,
    timeoutMs: LIST_TIMEOUT_MS,
    pin: { from: "nowhere" },
  });
  if (answer.code !== 0) throw tokenRefusal(answer);
  return answer;
}

const quoted = (labels: readonly string[]): string =>
  labels
    .toSorted()
    .slice(0, MAX_SHOWN)
    .map((label) => `"${printable(label)}"`)
    .join(", ");

async function tokenOf(cli: Cli, module: string, uri: Pkcs11Uri): Promise<Token> {
  const { out } = await ask(cli, ["--module", module, "--list-slots"]);
  const tokens = readTokens(out);
  const fitting = tokens.filter((token) => isToken(uri, token));
  const [token] = fitting;
  if (token !== undefined && fitting.length === 1) return token;
  const seen = tokens.length === 0 ? "no token at all" : quoted(tokens.map(({ label }) => label));
  throw new Refusal(
    "not_found",
    token === undefined
      ? `no such token; there is ${seen}`
      : `${fitting.length} tokens fit: ${seen}`,
    "Name one token by token=LABEL, serial= or slot-id=. See them: pkcs11-tool --list-slots.",
  );
}

const slotArgs = (module: string, { slotId }: Token): readonly string[] => [
  ...["--module", module, "--slot", `0x${slotId.toString(16)}`],
];

const objectArgs = ({ id, label }: KeyObject): readonly string[] =>
  id === "" ? ["--label", label] : ["--id", id];

async function objectOf(
  cli: Cli,
  module: string,
  token: Token,
  uri: Pkcs11Uri,
): Promise<KeyObject> {
  const { out } = await ask(cli, [
    ...slotArgs(module, token),
    ...["--list-objects", "--type", "pubkey"],
  ]);
  const keys = readKeyObjects(out);
  const fitting = keys.filter((key) => isKey(uri, key));
  const [key] = fitting;
  if (key === undefined || fitting.length > 1)
    throw new Refusal(
      "not_found",
      `${fitting.length === 0 ? "no such key" : `${fitting.length} keys fit`} on the token "${printable(token.label)}"${keys.length === 0 ? "" : `; it holds ${quoted(keys.map(({ label }) => label))}`}`,
      "Name one key by id=%01 or object=LABEL. See them: pkcs11-tool --list-objects --type pubkey.",
    );
  // the tool asks by id alone: two objects of one id would be one to it
  if (key.id !== "" && keys.filter(({ id }) => id === key.id).length > 1)
    throw new Refusal(
      "not_found",
      `two keys of the token have the id ${key.id}`,
      "Give each an id of its own.",
    );
  return key;
}

/** A folder for what the tool reads and writes: none of it is secret. */
async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "countersign-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const unsupported = (what: string): Refusal =>
  new Refusal(
    "key_unsupported",
    `the token's key is ${what}`,
    "Make one that signs here: pkcs11-tool --login --keypairgen --key-type EC:prime256v1 --id 01 --label approve.",
  );

/** A statement is longer than what the tool hands a token in one piece, and EdDSA takes no more than one piece. */
const NO_EDDSA = "an Edwards key, with which pkcs11-tool signs no more than 1024 octets";

function publicKeyOf(object: KeyObject): EcJwk {
  const jwk = jwkOfObject(object);
  if (jwk !== undefined) return jwk;
  if (object.kind === "EC") throw unsupported("on another curve than P-256");
  throw unsupported(object.kind.startsWith("EC_") ? NO_EDDSA : `of type ${printable(object.kind)}`);
}

async function locate(cli: Cli, text: string): Promise<Located> {
  const uri = parsePkcs11Uri(text);
  const module = moduleOf(uri.modulePath);
  const token = await tokenOf(cli, module, uri);
  const object = await objectOf(cli, module, token, uri);
  return { module, token, object, jwk: publicKeyOf(object) };
}

/** How the PIN gets to the token. @throws Refusal `terminal_required` where nobody could type it */
async function pinWay(cli: Cli, token: Token, pins: PinSource | undefined): Promise<PinWay> {
  if (!token.needsLogin || token.hasPinPad) return { from: "nowhere" };
  if (pins !== undefined) return { from: "pipe", pin: await pins.next() };
  const { isTTY: isShown } = cli.stderr as Partial<NodeJS.WriteStream>;
  if (cli.stdin.isTTY && isShown === true) return { from: "terminal" };
  throw new Refusal(
    "terminal_required",
    `the token "${printable(token.label)}" asks for its PIN`,
    "Run it in a terminal. owner enrol and owner policy run take the PIN from standard input, too: --pin-stdin.",
  );
}

/** Over a hash that we compute: every token that holds P-256 keys has it. */
const MECHANISM = "ECDSA";

async function signOn(
  cli: Cli,
  { module, token, object }: Located,
  data: Bytes,
  pins: PinSource | undefined,
): Promise<Bytes> {
  const pin = await pinWay(cli, token, pins);
  return inFolder(async (folder) => {
    const [input, output] = [join(folder, "input"), join(folder, "signature")];
    await writeFile(input, nodeCrypto.sha256(data));
    const answer = await runTool({
      args: [
        ...slotArgs(module, token),
        ...(token.needsLogin ? ["--login"] : []),
        ...["--sign", "--mechanism", MECHANISM, ...objectArgs(object)],
        ...["--input-file", input, "--output-file", output],
      ],
      env: cli.env.all,
      timeoutMs: SIGN_TIMEOUT_MS,
      pin,
    });
    const signature = await readFile(output).catch(() => undefined);
    if (answer.code !== 0 || signature?.length !== RAW_SIGNATURE_BYTES) {
      if (isPinRefused(answer)) pins?.refused();
      throw tokenRefusal(answer);
    }
    return new Uint8Array(signature);
  });
}

/** The public key of a token's key. @throws Refusal `malformed_request`, `not_found`, `key_unsupported`, `token_refused` */
export async function readTokenKey(cli: Cli, uri: string): Promise<OwnerPublicKey> {
  return { jwk: (await locate(cli, uri)).jwk };
}

/**
 * The signer of a token's key, through `pkcs11-tool`: JWS, by ECDSA over the SHA-256 that we compute. Each signature is
 * one login; a PIN that was refused is not tried again.
 * @param pins absent: the tool asks at the terminal
 * @throws Refusal `malformed_request`, `not_found`, `key_unsupported`, `token_refused`, `terminal_required`
 */
export async function openTokenKey(cli: Cli, uri: string, pins?: PinSource): Promise<OwnerSigner> {
  const located = await locate(cli, uri);
  const { jwk, token, object } = located;
  const sign = (data: Bytes): Promise<Bytes> => signOn(cli, located, data, pins);
  return {
    key: { jwk },
    comment: printable(`${token.label}: ${object.label === "" ? object.id : object.label}`),
    sign: (statement) => makeOwnerJws({ key: jwk, alg: "ES256", sign }, statement),
  };
}

/** The lines that sign a statement's file with the tool itself. Make `<file>.sig`. */
export async function tokenLines(cli: Cli, uri: string, file: string): Promise<readonly string[]> {
  const { module, token, object, jwk } = await locate(cli, uri);
  const hash = `${file}.hash`;
  return [
    jwsInputLine({ jwk }, file),
    shellLine("openssl", "dgst", "-sha256", "-binary", "-out", hash, `${file}.input`),
    shellLine(
      ...[TOOL, ...slotArgs(module, token), ...(token.needsLogin ? ["--login"] : [])],
      ...["--sign", "--mechanism", MECHANISM, ...objectArgs(object)],
      ...["--input-file", hash, "--output-file", `${file}.sig`],
    ),
  ];
}
