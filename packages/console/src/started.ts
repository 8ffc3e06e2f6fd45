/** Who started a run, by the word of the proxy: a label, and no more. */
export const startedWords = (uid: number, host: string): string =>
  `Started under uid ${uid} on ${host} (the proxy's word)`;
