import { thumbprint } from "../jose/jwk.ts";
import { Refusal } from "../refusal.ts";
import { followChain } from "./chain.ts";
import type { Acceptance, Examination } from "./examination.ts";

const no = (why: string): never => {
  throw new Refusal("owner_key_unaccepted", why);
};

function pinned(x: Examination, app: string | undefined): Acceptance | undefined {
  const { owner } = x.found("consent");
  const pin = x
    .found("domain")
    .ownerPins.find(
      (candidate) =>
        candidate.jkt === owner.jkt &&
        (candidate.owner ?? owner.id) === owner.id &&
        candidate.app === app,
    );
  if (pin === undefined) return undefined;
  const claimed = x.found("wit").owner?.kind ?? "person";
  const kind = pin.kind ?? claimed;
  return { vouchedBy: "pin", kind, kindBasis: pin.kind === undefined ? "claimed" : "pinned" };
}

/**
 * How the owner's key is accepted here (DESIGN 5.2): pinned; else enrolled by a chain from a pinned key; else on the
 * server's word where the relying party has said so. A removed key signs nothing, whoever vouches for it. A pin needs
 * no other key's signature, so no other way proves more.
 * @throws Refusal `owner_key_unaccepted`, and as `followChain`
 */
export async function acceptanceOf(x: Examination): Promise<Acceptance> {
  const domain = x.found("domain");
  const { owner } = x.found("consent");
  const { key, enr = [] } = x.found("part");
  if (domain.bundle.removedOwnerKeys.includes(owner.jkt)) return no("the key was removed");
  const pin = pinned(x, key.app);
  if (pin !== undefined) return pin;
  try {
    if (enr.length > 0) {
      const { kind, assurance } = await followChain(x, enr, {
        jkt: thumbprint(x.c, key.jwk),
        app: key.app,
      });
      return { vouchedBy: "chain", kind, kindBasis: "claimed", assurance };
    }
  } catch (error) {
    const isUnaccepted = error instanceof Refusal && error.code === "owner_key_unaccepted";
    if (!isUnaccepted || !domain.insecureAcceptServerEnrolment) throw error;
  }
  if (domain.insecureAcceptServerEnrolment) {
    const kind = x.found("wit").owner?.kind ?? "person";
    return { vouchedBy: "server", kind, kindBasis: "claimed" };
  }
  return no("neither pinned nor certified");
}
