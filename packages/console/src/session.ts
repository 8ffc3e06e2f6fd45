import type { JsonObject } from "@countersign/core";
import type { Session } from "./app.ts";
import { list, number, object, optional, text } from "./read.ts";

const KEPT = "countersign-session";

/** The token that the server gave, where the session is not a cookie. It ends with the tab. */
export const tokenKept = (): string | undefined => sessionStorage.getItem(KEPT) ?? undefined;

export function keepToken(answer: JsonObject): void {
  const token = optional(answer, "token", text);
  if (token !== undefined) sessionStorage.setItem(KEPT, token);
}

export function forget(): void {
  sessionStorage.removeItem(KEPT);
}

/** Who is signed in. Keys that no browser can sign with are left out. */
export function sessionOf(me: JsonObject): Session {
  const owner = object(me["owner"]);
  const keys = list(me, "keys").flatMap((key) => {
    const credentialId = optional(object(key["authenticator"]), "credential_id", text);
    const isOut = key["removed_at"] !== undefined || key["suspended_at"] !== undefined;
    if (credentialId === undefined || isOut) return [];
    return [{ jkt: text(key, "jkt"), name: text(key, "comment"), credentialId }];
  });
  return {
    owner: { id: text(owner, "id"), name: text(owner, "name") },
    jkt: text(me, "jkt"),
    until: number(me, "until"),
    keys,
  };
}
