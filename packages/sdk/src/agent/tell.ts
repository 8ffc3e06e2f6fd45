/** Tells all listeners; one that throws stops no other. */
export function tell<T>(listeners: ReadonlySet<(what: T) => void>, what: T): void {
  for (const listener of listeners)
    try {
      listener(what);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
}
