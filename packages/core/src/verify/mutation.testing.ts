import type { CredentialDraft } from "../issuance/decide.ts";
import type { RefusalCode } from "../refusal.ts";
import type { Presented } from "./examination.ts";
import type { Story, StoryOptions } from "./story.testing.ts";
import type { Trust } from "./trust.ts";
import type { Demand } from "./verify.ts";

/** One thing that is otherwise than in the true story, and where that is refused. */
export interface Mutation {
  readonly name: string;
  readonly link: string;
  readonly code: RefusalCode;
  readonly change?: StoryOptions;
  readonly demand?: Partial<Demand>;
  readonly now?: number;
  /** Shows or trusts what is another story's. */
  readonly mix?: (own: Story, other: Story) => { presented?: Presented; trust?: Trust };
}

export type Owned = NonNullable<CredentialDraft["owner"]>;

/** Changes the owner of a credential, and its ordinal. */
export function owned(
  change: (owner: Owned) => Partial<Owned["grant"]>,
  n?: number,
): (draft: CredentialDraft) => CredentialDraft {
  return (draft) =>
    draft.owner === undefined
      ? draft
      : {
          ...draft,
          owner: {
            n: n ?? draft.owner.n,
            grant: { ...draft.owner.grant, ...change(draft.owner) },
          },
        };
}

export function ownerId(id: string): (draft: CredentialDraft) => CredentialDraft {
  return owned(({ grant }) => ({
    statement: { ...grant.statement, owner: { ...grant.statement.owner, id } },
  }));
}

export function unbound({ agent, key, iat, exp }: CredentialDraft): CredentialDraft {
  return { agent, key, iat, exp };
}

export function approvalOf({ approval }: Presented): NonNullable<Presented["approval"]> {
  if (approval === undefined) throw new TypeError("the story has one");
  return approval;
}

export function loggedOf({ logged }: Presented): NonNullable<Presented["logged"]> {
  if (logged === undefined) throw new TypeError("the story has one");
  return logged;
}

export function flipped(data: Uint8Array, at: number): Uint8Array {
  return data.map((octet, i) => (i === at ? octet ^ 1 : octet));
}

/** A compact JWS whose signature has one character changed. */
export function tampered(text: string): string {
  return `${text.slice(0, -6)}${text.at(-6) === "A" ? "B" : "A"}${text.slice(-5)}`;
}
