/** Draws that repeat with their seed. */
export interface Draw {
  /** An integer from 0 up to, and without, `below`. */
  readonly int: (below: number) => number;
  readonly pick: <T>(list: readonly T[]) => T;
  /** True once in `times`. */
  readonly once: (times: number) => boolean;
}

/** The generator sfc32, started from one number of 32 bits. */
export function drawsOf(seed: number): Draw {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed >>> 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i += 1) next();
  const int = (below: number): number => Math.floor((next() / 2 ** 32) * below);
  return {
    int,
    once: (times) => int(times) === 0,
    pick: (list) => {
      const picked = list[int(list.length)];
      if (picked === undefined) throw new TypeError("nothing to pick from");
      return picked;
    },
  };
}
