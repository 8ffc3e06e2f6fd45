const WHOLE = 0.99;
const SEEN_MS = 1000;

const isWatched = (): boolean => document.visibilityState === "visible" && document.hasFocus();

/** A line that is higher than the window counts when it fills it. */
function fills(entry: IntersectionObserverEntry): boolean {
  const { intersectionRatio, intersectionRect, rootBounds } = entry;
  const isWindowFull = rootBounds !== null && intersectionRect.height >= rootBounds.height * WHOLE;
  return intersectionRatio >= WHOLE || isWindowFull;
}

/** Lines that stand whole on the screen, and since when. */
class Watch {
  readonly #timers = new Map<Element, number>();
  readonly #whole = new Set<Element>();
  readonly #seen: (line: Element) => void;

  constructor(seen: (line: Element) => void) {
    this.#seen = seen;
  }

  look(entries: readonly IntersectionObserverEntry[]): void {
    for (const entry of entries) {
      if (fills(entry)) this.#whole.add(entry.target);
      else this.#whole.delete(entry.target);
    }
    this.turn();
  }

  /** The page was shown, hidden, or lost the focus. */
  turn(): void {
    for (const line of this.#timers.keys())
      if (!this.#whole.has(line) || !isWatched()) this.#cancel(line);
    if (!isWatched()) return;
    for (const line of this.#whole)
      if (!this.#timers.has(line))
        this.#timers.set(
          line,
          window.setTimeout(() => this.#seen(line), SEEN_MS),
        );
  }

  stop(): void {
    for (const line of this.#timers.keys()) this.#cancel(line);
  }

  #cancel(line: Element): void {
    window.clearTimeout(this.#timers.get(line));
    this.#timers.delete(line);
  }
}

/**
 * Watches marked lines: one counts as seen when it stood whole on a page that is visible and has focus for a second,
 * or when it had focus itself (console.md 6).
 * @returns how to stop
 */
export function watchSeen(
  lines: readonly HTMLElement[],
  onSeen: (index: number) => void,
): () => void {
  const tell = (line: EventTarget | null): void => {
    const index = lines.findIndex((one) => one === line);
    if (index >= 0) onSeen(index);
  };
  const watch = new Watch(tell);
  const observer = new IntersectionObserver((entries) => watch.look(entries), {
    threshold: [0, 0.25, 0.5, 0.75, WHOLE, 1],
  });
  const turned = (): void => watch.turn();
  const focused = ({ target }: FocusEvent): void => tell(target);
  for (const line of lines) observer.observe(line);
  document.addEventListener("visibilitychange", turned);
  window.addEventListener("focus", turned);
  window.addEventListener("blur", turned);
  document.addEventListener("focusin", focused);
  return () => {
    observer.disconnect();
    watch.stop();
    document.removeEventListener("visibilitychange", turned);
    window.removeEventListener("focus", turned);
    window.removeEventListener("blur", turned);
    document.removeEventListener("focusin", focused);
  };
}
