import { fileCheckpoint } from "./checkpoint-file.ts";
import { decisionOf, NOW, open } from "./fixtures.testing.ts";

/** The single-use value that a crashing writer commits as its n-th. */
export const valueOf = (n: number): string => `value ${n}`;

/** Opens the store at `path` and commits without end, four at a time; says each number once it is acknowledged. */
export async function commitForEver(path: string, say: (line: string) => void): Promise<never> {
  const store = await open({ path, checkpointFile: fileCheckpoint(`${path}.checkpoint`) });
  for (let n = 0; ; n += 4)
    await Promise.all(
      [n, n + 1, n + 2, n + 3].map(async (i) => {
        const value = valueOf(i);
        await store.commit(
          decisionOf(value, { once: [{ kind: "nonce", value, until: NOW + 120 }] }),
        );
        say(`${i}\n`);
      }),
    );
}
