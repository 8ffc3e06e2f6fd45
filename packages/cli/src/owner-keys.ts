import { writeFile } from "node:fs/promises";
import {
  base64url,
  fromBase64url,
  isKeyStatement,
  readStatement,
  Refusal,
  renderKeyStatement,
  thumbprint,
} from "@countersign/core";
import type { JsonObject, OwnerPublicKey, OwnerSignature, Statement } from "@countersign/core";
import { nodeCrypto, printable } from "@countersign/node";
import { refuseInsideRun } from "./inside-run.ts";
import { acceptedHow, certificatesFrom, certifiedUntil } from "./owner-certificate.ts";
import { pinsFromInput } from "./pkcs11/pins.ts";
import type { PinSource } from "./pkcs11/pins.ts";
import { keyOption, signatureFrom, statementFrom } from "./signed-elsewhere.ts";
import type { SignOptions } from "./signed-elsewhere.ts";
import { openOwnerKey, readOwnerKey, signElsewhere } from "./signing.ts";
import { explain, list, number, text, withApi } from "./sockets.ts";
import type { LocalApi } from "./sockets.ts";
import { say, show } from "./terminal.ts";
import type { Cli } from "./terminal.ts";

export interface EnrolOptions extends SignOptions {
  readonly kind: "person" | "device" | "policy";
  /** File of a key that the owner has already. */
  readonly coSigner?: string;
  readonly coSignature?: string;
  /** PEM file: the owner's certificate for the new key, and the CAs above it. */
  readonly certificate?: string;
  /** PINs of tokens come from standard input, one a line: the new key's, then the co-signer's. */
  readonly pinStdin?: boolean;
}

/** What a key that the owner has already says to the new one: signed here, or brought back in a file. */
async function coSign(
  cli: Cli,
  { coSigner, coSignature }: EnrolOptions,
  statement: Uint8Array,
  pins?: PinSource,
): Promise<readonly JsonObject[]> {
  if (coSigner === undefined && coSignature !== undefined)
    throw new Refusal(
      "malformed_request",
      "a co-signature of an unnamed key",
      "Name the key that made it: --co-signer FILE.pub",
    );
  if (coSigner === undefined) return [];
  const key = await readOwnerKey(cli, coSigner);
  const sig =
    coSignature === undefined
      ? await (await openOwnerKey(cli, coSigner, "statement.json", pins)).sign(statement)
      : await signatureFrom(coSignature, statement, key);
  return [{ jkt: thumbprint(nodeCrypto, key.jwk), sig: { ...sig } }];
}

function vouchers(key: JsonObject): string {
  const { co_signers: coSigners } = key;
  if (!Array.isArray(coSigners) || coSigners.length === 0) return "";
  return `  vouched for by ${coSigners.map((jkt) => String(jkt).slice(0, 8)).join(", ")}`;
}

/** What holds a key, in words for its owner. */
const HELD_BY: Readonly<Record<string, string>> = {
  software: "software key: approvals end within 24 h",
  security_key: "security key",
  synced_passkey: "synced passkey",
  device_bound_passkey: "device-bound passkey",
};

/** Development takes the first key of an owner as it comes. */
const TOFU = "trusted on first use (tofu): nobody has checked whose it is";

/** A suspended key may have been copied: its counter went back. */
function standing(key: JsonObject): string {
  if (key["removed_at"] !== undefined) return "  removed";
  return key["suspended_at"] === undefined ? "" : "  SUSPENDED: it may have been copied";
}

export async function enrol(cli: Cli, name: string, options: EnrolOptions): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    const key = await readOwnerKey(cli, options.key);
    const { certificate } = options;
    const certified = certificate === undefined ? {} : { x5c: await certificatesFrom(certificate) };
    if (options.signature !== undefined) {
      const statement = await statementFrom(options);
      const sig = await signatureFrom(options.signature, statement, key);
      const coSignatures = await coSign(cli, options, statement);
      const signed = { statement, sig, coSignatures, ...certified };
      await finishEnrolment(cli, api, { name, key: options.key }, signed);
      return;
    }
    const offered = await offerKey(api, name, options.kind, key);
    const statement = readStatement(nodeCrypto, fromBase64url(text(offered, "jcs")));
    checkKeyStatement(statement, key);
    if (options.print) {
      await printForElsewhere(cli, name, statement, options);
      return;
    }
    const rendered = renderKeyStatement(statement);
    if (!cli.isJson)
      cli.stdout.write(
        `${rendered.title}\n${rendered.lines.map((line) => `  ${line}\n`).join("")}`,
      );
    const signed = await signHere(cli, options, statement.bytes);
    await finishEnrolment(cli, api, { name, key: options.key }, { ...signed, ...certified });
  });
}

/** The statement with which this key becomes one of the owner's. @throws Refusal `key_reused` */
export function offerKey(
  api: LocalApi,
  name: string,
  kind: string,
  { jwk, app }: OwnerPublicKey,
): Promise<JsonObject> {
  return explain(
    api.post("/v1/owner/keys/options", {
      name,
      kind,
      jwk: { ...jwk },
      ...(app === undefined ? {} : { app }),
    }),
    "key_reused",
    "it was enrolled before, or is used for something else",
    "See whose it is: countersign owner list. A key that was removed is not enrolled again.",
  );
}

/** What is posted of a key statement. */
interface SignedStatement {
  readonly statement: Uint8Array;
  readonly sig: OwnerSignature;
  readonly coSignatures: readonly JsonObject[];
  readonly x5c?: readonly string[];
  readonly comment?: string;
}

async function signHere(
  cli: Cli,
  options: EnrolOptions,
  statement: Uint8Array,
): Promise<SignedStatement> {
  const pins = options.pinStdin === true ? pinsFromInput(cli) : undefined;
  try {
    const signer = await openOwnerKey(cli, options.key, "statement.json", pins);
    const sig = await signer.sign(statement);
    const coSignatures = await coSign(cli, options, statement, pins);
    return { statement, sig, coSignatures, comment: signer.comment };
  } finally {
    pins?.close();
  }
}

/** The statement on standard output or in its file, how to sign it and how to bring it back on standard error. */
async function printForElsewhere(
  cli: Cli,
  name: string,
  { bytes, body }: Statement,
  options: EnrolOptions,
): Promise<void> {
  if (options.statement === undefined) cli.stdout.write(bytes);
  else await writeFile(options.statement, bytes);
  const file = options.statement ?? "statement.json";
  say(cli, `The owner is ${body.owner.id}: a certificate for --certificate has exactly this URI.`);
  say(cli, "Sign it within the hour:");
  for (const line of await signElsewhere(cli, options.key, file)) say(cli, `  ${line}`);
  say(
    cli,
    `Then bring it back: countersign owner enrol ${name} ${keyOption(options.key)} --signature ${file}.sig`,
  );
}

/** The server made the statement: what is signed must name the key that was offered, and nothing else. */
export function checkKeyStatement(statement: Statement, key: OwnerPublicKey): void {
  if (
    !isKeyStatement(statement) ||
    statement.body.key.jkt !== thumbprint(nodeCrypto, key.jwk) ||
    statement.body.owner.jkt !== statement.body.key.jkt
  )
    throw new Refusal("statement_invalid", "the server's statement names another key");
}

/** How a person who signs in the terminal comes to a passkey; nothing where there is no console. */
async function passkeyLines(
  api: LocalApi,
  kind: string,
  of: { readonly name: string; readonly key: string },
): Promise<readonly string[]> {
  if (kind !== "person" || (await api.get("/v1/status"))["console"] === undefined) return [];
  return [
    `  For the console, a passkey beside it: countersign owner invite ${of.name} ${keyOption(of.key)}`,
  ];
}

async function finishEnrolment(
  cli: Cli,
  api: LocalApi,
  of: { readonly name: string; readonly key: string },
  signed: SignedStatement,
): Promise<void> {
  const { name } = of;
  const answer = await api.post("/v1/owner/keys", {
    statement: base64url(signed.statement),
    sig: { ...signed.sig },
    comment: signed.comment ?? "",
    ...(signed.coSignatures.length === 0 ? {} : { co_signatures: signed.coSignatures }),
    ...(signed.x5c === undefined ? {} : { x5c: signed.x5c }),
  });
  show(cli, answer, [
    `Enrolled the key ${cli.paint("bold", text(answer, "jkt").slice(0, 8))} of ${name} (${text(answer, "owner")}).`,
    ...(answer["basis"] === "tofu" ? [`  It is ${TOFU}.`] : []),
    acceptedHow(text(answer, "jkt"), {
      isCertified: signed.x5c !== undefined,
      isCoSigned: signed.coSignatures.length > 0,
    }),
    ...(await passkeyLines(api, text(answer, "kind"), of)),
    `Next: countersign agent register NAME --owner ${name} --audience URL`,
  ]);
}

export async function listOwners(cli: Cli): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const answer = await api.get("/v1/owners");
    const lines = list(answer, "owners").flatMap((owner) => [
      `${cli.paint("bold", text(owner, "name"))}  ${text(owner, "kind")}  ${text(owner, "id")}`,
      ...list(owner, "keys").map(
        (key) =>
          `  key ${text(key, "jkt").slice(0, 8)}  ${HELD_BY[text(key, "held_by")] ?? "key"}  ${printable(text(key, "comment"))}${certifiedUntil(key)}${vouchers(key)}${key["basis"] === "tofu" ? `  ${TOFU}` : ""}${standing(key)}`,
      ),
    ]);
    show(
      cli,
      answer,
      lines.length === 0
        ? ["No owner yet. countersign owner enrol NAME --key ~/.ssh/id_ed25519"]
        : lines,
    );
  });
}

export async function removeKey(cli: Cli, jkt: string): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const removed = await explain(
      api.remove(`/v1/owner/keys/${encodeURIComponent(jkt)}`),
      "not_found",
      `no key ${jkt}`,
      "Give its whole thumbprint: countersign owner list --json",
    );
    const agents = number(removed, "agents");
    const isLast = number(removed, "keys_left") === 0 && agents > 0;
    show(cli, removed, [
      "Removed. Its approvals have ended; services learn it with their next trust bundle.",
      ...(isLast
        ? [
            `! It was the owner's last key: nobody can approve anything for ${agents === 1 ? "the agent" : `the ${agents} agents`} of theirs.`,
            "  A new one: countersign owner recover start NAME --key FILE",
          ]
        : []),
    ]);
  });
}

export async function resumeKey(cli: Cli, jkt: string): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const resumed = await explain(
      api.post(`/v1/owner/keys/${encodeURIComponent(jkt)}/resume`, {}),
      "not_found",
      `no suspended key ${jkt}`,
      "Give its whole thumbprint: countersign owner list --json",
    );
    show(cli, resumed, ["The key signs again. Its next signature must count on from its highest."]);
  });
}
