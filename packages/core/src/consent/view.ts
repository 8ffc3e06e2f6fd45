import type { Digest } from "../crypto.ts";
import type { CredentialStatement } from "./statement.ts";
import { VIEW_CREDENTIAL_1_EN } from "./view-credential-1.en.ts";
import { VIEW_CREDENTIAL_2_EN } from "./view-credential-2.en.ts";

/** The names and digest of a view, as they stand in a statement. */
export interface ViewName {
  readonly tpl: string;
  readonly loc: string;
  /** SHA-256 of the template's UTF-8 octets. */
  readonly d: Digest;
}

/** A view that we can show, and the template that its name stands for. */
export interface View extends ViewName {
  readonly template: string;
  /** Whether it is for what several owners sign: only then, and always then. */
  readonly showsParties: boolean;
}

/** The `view` of the credential statements that we make for one owner. */
export const VIEW_CREDENTIAL: ViewName = {
  tpl: "credential/1",
  loc: "en",
  d: "sha-256:IoP2qumV7ZscHkQXrTEL73WL8sTpBZ18p2GzIfsmr4s",
};

/** The `view` of those that we make for several owners. */
export const VIEW_PARTIES: ViewName = {
  tpl: "credential/2",
  loc: "en",
  d: "sha-256:UCv6PW33Zt2oaOjrYnaXNDEQhcLZs3cuVHT7fR4d1xg",
};

/** Every view that we can show. Closed: a statement with another is neither shown nor accepted. */
export const VIEWS: readonly View[] = [
  { ...VIEW_CREDENTIAL, template: VIEW_CREDENTIAL_1_EN, showsParties: false },
  { ...VIEW_PARTIES, template: VIEW_CREDENTIAL_2_EN, showsParties: true },
];

/** Whether the view of a statement has a place for everything that the statement says. */
export function viewFits({ view, grant }: CredentialStatement): boolean {
  const showsParties = VIEWS.find(({ d }) => d === view.d)?.showsParties ?? false;
  return showsParties === (grant.parties !== undefined);
}
