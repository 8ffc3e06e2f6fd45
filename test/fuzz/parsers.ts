import { attestationParsers } from "./parsers-attestation.ts";
import { consentParsers } from "./parsers-consent.ts";
import { daemonParsers } from "./parsers-daemon.ts";
import { bundleParsers } from "./parsers-log.ts";
import { tokenParsers } from "./parsers-token.ts";
import { x509Parsers } from "./parsers-x509.ts";
import type { Parser } from "./parser.ts";
import type { Samples } from "./samples.ts";

/** Every parser of the product that reads what a stranger may have written. */
export function everyParser(s: Samples): readonly Parser[] {
  return [
    ...tokenParsers(s),
    ...x509Parsers(s),
    ...consentParsers(s),
    ...attestationParsers(s),
    ...bundleParsers(s),
    ...daemonParsers(s),
  ];
}
