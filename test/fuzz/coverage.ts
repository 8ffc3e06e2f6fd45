import { Session } from "node:inspector";

/** What ran since the last look: the blocks, and how often all of them together. */
export interface Reached {
  readonly blocks: ReadonlySet<string>;
  readonly steps: number;
}

/** Block coverage by the engine itself, of the files of this product only. */
export interface CoverageMeter {
  readonly take: () => Reached;
  readonly close: () => void;
}

/** Starts to count. It slows everything down, so close it. */
export function measureCoverage(): CoverageMeter {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  return {
    take: () => {
      const blocks = new Set<string>();
      let steps = 0;
      // in-process sessions answer before `post` returns
      session.post("Profiler.takePreciseCoverage", (error, answer) => {
        if (error !== null) throw error;
        for (const { url, scriptId, functions } of answer.result) {
          if (!url.includes("/packages/")) continue;
          for (const { ranges } of functions)
            for (const { startOffset, endOffset, count } of ranges) {
              if (count === 0) continue;
              blocks.add(`${scriptId}:${startOffset}:${endOffset}`);
              steps += count;
            }
        }
      });
      return { blocks, steps };
    },
    close: () => {
      session.post("Profiler.stopPreciseCoverage");
      session.disconnect();
    },
  };
}
