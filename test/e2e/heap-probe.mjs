// Loaded into a daemon with `--expose-gc --import`: at SIGUSR2 collects all garbage and says what is left, in octets.
const gc = globalThis.gc;
if (gc === undefined) throw new Error("start with --expose-gc");
process.on("SIGUSR2", () => {
  gc();
  // what was freed may have finalizers that free more
  setImmediate(() => {
    gc();
    const { heapUsed, external, rss } = process.memoryUsage();
    process.stderr.write(`${JSON.stringify({ kept: heapUsed + external, rss })}\n`);
  });
});
// At SIGWINCH keeps 400 octets for each of ten thousand requests: a leak that must be seen.
const leak = [];
process.on("SIGWINCH", () => {
  for (let n = 0; n < 10_000; n += 1) leak.push(Array.from({ length: 50 }, () => n));
  process.stderr.write("leaked\n");
});
