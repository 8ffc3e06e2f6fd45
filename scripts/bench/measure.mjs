// Times a row against its limit: turn by turn in one process, so that both see the same machine.

/** Processor seconds of this process: what other programs take is not counted. */
export function processorSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** The value below which this share of the numbers lies. */
export function percentile(numbers, share) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Operations a processor second over one turn of about `seconds`. */
export async function turnOf(act, seconds) {
  let count = 0;
  const start = processorSeconds();
  let spent = 0;
  while (spent < seconds) {
    for (let i = 0; i < 8; i += 1) await act(count + i);
    count += 8;
    spent = processorSeconds() - start;
  }
  return count / spent;
}

/** The same over operations that were prepared one by one, each used once. */
async function batchOf(row, size) {
  const items = await row.prepare(size);
  const start = processorSeconds();
  await row.runAll(items);
  return items.length / (processorSeconds() - start);
}

/**
 * Runs row and limit in turn.
 * @param row `{ name, run(i) | prepare(n) + runAll(items), limit(i) }`
 * @returns medians over the rounds; `ratio` is the median of the rounds' own ratios
 */
export async function compare(row, { rounds, seconds, batch }) {
  const one = () => (row.runAll === undefined ? turnOf(row.run, seconds) : batchOf(row, batch));
  await turnOf(row.limit, seconds / 2);
  await one();
  await one();
  const seen = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = await turnOf(row.limit, seconds / 2);
    const ops = await one();
    const after = await turnOf(row.limit, seconds / 2);
    const limit = (before + after) / 2;
    seen.push({ ops, limit, ratio: ops / limit });
  }
  return {
    opsPerSecond: median(seen.map(({ ops }) => ops)),
    limitPerSecond: median(seen.map(({ limit }) => limit)),
    ratio: median(seen.map(({ ratio }) => ratio)),
  };
}
