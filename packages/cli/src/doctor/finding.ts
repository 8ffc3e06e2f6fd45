/** Who can do what comes next. The operator runs server and proxy; the administrator registers agents and stops them. */
export type Mover = "agent author" | "owner" | "administrator" | "operator";

/** One line of the doctor. */
export interface Finding {
  readonly level: "good" | "warning" | "bad";
  /** The step that was looked at. */
  readonly about: string;
  readonly says: string;
  /** What to do, with the command where there is one. */
  readonly next?: string;
  /** Whose move it is. */
  readonly move?: Mover;
}

export const good = (about: string, says: string): Finding => ({ level: "good", about, says });
export const warning = (
  about: string,
  says: string,
  next: string,
  move: Mover = "operator",
): Finding => ({ level: "warning", about, says, next, move });
export const bad = (
  about: string,
  says: string,
  next: string,
  move: Mover = "operator",
): Finding => ({ level: "bad", about, says, next, move });
