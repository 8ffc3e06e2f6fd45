/** Why a decision does not take effect. Thrown to roll its savepoint back; never leaves the writer. */
export class Clash extends Error {
  readonly with: "conflict" | "used";

  constructor(kind: "conflict" | "used", what: string) {
    super(`${kind}: ${what}`);
    this.with = kind;
  }
}

/** @throws Clash unless it holds */
export function demand(holds: boolean, kind: "conflict" | "used", what: string): void {
  if (!holds) throw new Clash(kind, what);
}
