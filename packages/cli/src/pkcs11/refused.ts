import { Refusal } from "@countersign/core";
import { printable } from "@countersign/node";
import type { ToolAnswer } from "./tool.ts";

const MAX_WORDS = 200;

interface Row {
  readonly codes: readonly string[];
  readonly why: string;
  readonly next: string;
}

/** What return values of a module mean to the person who holds the token (PKCS#11 section 5.1). */
const ROWS: readonly Row[] = [
  {
    codes: ["CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE"],
    why: "it refused the PIN",
    next: "It was tried once, and nothing was signed. A token locks after a few wrong PINs: be sure of it before you run the command again.",
  },
  {
    codes: ["CKR_PIN_LOCKED"],
    why: "its PIN is locked",
    next: "Unlock it with its PUK or SO PIN: pkcs11-tool --unlock-pin, or the program of its maker.",
  },
  {
    codes: ["CKR_PIN_EXPIRED", "CKR_USER_PIN_NOT_INITIALIZED"],
    why: "its PIN must be set first",
    next: "Set it: pkcs11-tool --change-pin, or the program of its maker.",
  },
  {
    codes: ["CKR_USER_NOT_LOGGED_IN"],
    why: "no PIN was given",
    next: "Run the command again and type the PIN.",
  },
  {
    codes: [
      ...["CKR_TOKEN_NOT_PRESENT", "CKR_DEVICE_REMOVED", "CKR_SLOT_ID_INVALID"],
      ...["CKR_TOKEN_NOT_RECOGNIZED", "CKR_SESSION_HANDLE_INVALID"],
    ],
    why: "it is gone",
    next: "Nothing was signed. Put it in again, then run the command again.",
  },
  {
    codes: ["CKR_MECHANISM_INVALID", "CKR_KEY_TYPE_INCONSISTENT", "CKR_KEY_FUNCTION_NOT_PERMITTED"],
    why: "the key does not sign this way",
    next: "Choose a P-256 key that may sign (CKA_SIGN), on a token whose pkcs11-tool --list-mechanisms shows ECDSA.",
  },
];

/** Whether the token had something against the PIN. */
export function isPinRefused({ out, err }: ToolAnswer): boolean {
  return /CKR_PIN_/.test(`${err}\n${out}`);
}

/** The refusal for what the tool said when it failed. It never saw a PIN that it would repeat. */
export function tokenRefusal({ out, err }: ToolAnswer): Refusal {
  const said = `${err}\n${out}`;
  const [code] = /CKR_[A-Z_]+/.exec(said) ?? [];
  const row = ROWS.find(({ codes }) => code !== undefined && codes.includes(code));
  if (row !== undefined) return new Refusal("token_refused", row.why, row.next);
  const [, words = "pkcs11-tool failed"] = /(?:error: |sc_dlopen failed: )(.+)/.exec(said) ?? [];
  return new Refusal("token_refused", printable(words.slice(0, MAX_WORDS)));
}
