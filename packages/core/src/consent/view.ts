import type { Digest } from "../crypto.ts";
import { VIEW_CREDENTIAL_1_EN } from "./view-credential-1.en.ts";

/** A view that we can show: the names and digest that stand in a statement, and the template they stand for. */
export interface View {
  readonly tpl: string;
  readonly loc: string;
  /** SHA-256 of the template's UTF-8 octets. */
  readonly d: Digest;
  readonly template: string;
}

/** The `view` of the credential statements that we make. */
export const VIEW_CREDENTIAL: { readonly tpl: string; readonly loc: string; readonly d: Digest } = {
  tpl: "credential/1",
  loc: "en",
  d: "sha-256:IoP2qumV7ZscHkQXrTEL73WL8sTpBZ18p2GzIfsmr4s",
};

/** Every view that we can show. Closed: a statement with another is neither shown nor accepted. */
export const VIEWS: readonly View[] = [{ ...VIEW_CREDENTIAL, template: VIEW_CREDENTIAL_1_EN }];
