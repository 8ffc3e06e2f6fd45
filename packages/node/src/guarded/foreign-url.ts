import { Refusal } from "@countersign/core";

const MAX_URL_LENGTH = 2048;
/** Scheme, authority and the rest, as they are written: no user, no escape, no backslash, no fragment. */
const WRITTEN = /^(https?):\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?([/?][!-~]*)?$/;

const refused = (what: string): Refusal =>
  new Refusal("address_refused", what, "Write it as https://host/path, without user or fragment.");

/**
 * A URL that somebody else chose, read strictly: what it says is what is called. Refused are credentials, fragments, numbers
 * and escapes that some reader takes for another host, and hosts that are not written as they are looked up.
 * @param insecureHttpOrigins origins, as `http://host:port`, that may be called without TLS: what is sent can be read and
 * changed on the way
 * @throws Refusal `address_refused`
 */
export function readForeignUrl(text: string, insecureHttpOrigins: readonly string[] = []): URL {
  if (text.length > MAX_URL_LENGTH) throw refused("the address is too long");
  const [, scheme, host = "", , rest = ""] = WRITTEN.exec(text) ?? [];
  if (scheme === undefined || rest.includes("#") || rest.includes("\\") || !URL.canParse(text))
    throw refused("not a plain https address");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || url.hash !== "")
    throw refused("the address has a user or a fragment");
  // 2130706433, 0x7f.1 and 127.1 are 127.0.0.1 to a parser, and to nobody who reads them
  if (url.hostname !== host.toLowerCase()) throw refused("the host is written in an odd way");
  if (url.hostname.endsWith(".")) throw refused("the host ends in a dot");
  if (url.protocol === "https:") return url;
  if (url.protocol === "http:" && insecureHttpOrigins.includes(url.origin)) return url;
  throw refused("the address is not https");
}
