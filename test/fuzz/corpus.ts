import type { CoverageMeter } from "./coverage.ts";
import { outcomeOf } from "./parser.ts";
import type { Parser } from "./parser.ts";
import type { Input } from "./units.ts";

const MAX_CORPUS = 400;

/** What one parser was given so far, and what is worth changing further. */
export interface Progress {
  readonly parser: Parser;
  /** The samples, and inputs that reached what none before had reached. */
  readonly corpus: [Input, ...Input[]];
  /** Blocks that were reached, and reasons of refusals without their numbers. */
  readonly known: Set<string>;
  inputs: number;
  accepted: number;
}

export function beginOf(parser: Parser): Progress {
  return { parser, corpus: [...parser.samples], known: new Set(), inputs: 0, accepted: 0 };
}

function keep(progress: Progress, input: Input): void {
  const { corpus, parser } = progress;
  if (corpus.length >= MAX_CORPUS) corpus.splice(parser.samples.length, 1);
  corpus.push(input);
}

/** Gives an input to the parser, and keeps it if the parser's reason is one that it had not given before. */
export async function feed(progress: Progress, input: Input): Promise<void> {
  const outcome = await outcomeOf(progress.parser, input);
  progress.inputs += 1;
  if (outcome === "accepted") progress.accepted += 1;
  const reason = outcome.replaceAll(/\d+/g, "0").slice(0, 120);
  if (progress.known.has(reason)) return;
  progress.known.add(reason);
  keep(progress, input);
}

/**
 * Looks which blocks a batch has reached. Where some are new, halves of it run again until the inputs that reach them
 * are found: those are kept.
 */
export async function keepFrontier(
  progress: Progress,
  batch: readonly Input[],
  meter: CoverageMeter,
): Promise<void> {
  const { known, parser } = progress;
  const fresh = [...meter.take().blocks].filter((block) => !known.has(block));
  if (fresh.length === 0) return;
  const [only] = batch;
  if (only !== undefined && batch.length === 1) {
    for (const block of fresh) known.add(block);
    keep(progress, only);
    return;
  }
  const middle = Math.ceil(batch.length / 2);
  for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
    for (const input of half) await outcomeOf(parser, input);
    await keepFrontier(progress, half, meter);
  }
  for (const block of fresh) known.add(block); // those that only the whole batch reaches: caches
}
