/** A key of an owner, and who has spoken for it. */
export interface SpokenFor {
  readonly jkt: string;
  /** Thumbprints of the keys that co-signed its adding. */
  readonly coSigners: readonly string[];
  /** Thumbprints of the keys in whose sessions the owner said that it is his. */
  readonly knownBy: readonly string[];
}

/**
 * The keys that whoever holds one key knows: it, those that it or one of them spoke for, and those that spoke for it.
 * A key that somebody added who holds none of these is not among them, whatever that key says for itself.
 * @param keys those that sign still: what a removed key spoke for is known no longer, since it may have been stolen
 */
export function keysKnownTo(keys: readonly SpokenFor[], jkt: string): ReadonlySet<string> {
  const known = new Set([jkt]);
  for (const before of vouchersOf(keys, jkt)) known.add(before);
  for (let size = 0; size !== known.size;) {
    size = known.size;
    for (const key of keys)
      if ([...key.coSigners, ...key.knownBy].some((by) => known.has(by))) known.add(key.jkt);
  }
  return known;
}

/** The keys that a key rests on, back to the first one. */
function vouchersOf(keys: readonly SpokenFor[], jkt: string): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [jkt];
  for (let at = open.pop(); at !== undefined; at = open.pop())
    for (const by of keys.find((key) => key.jkt === at)?.coSigners ?? [])
      if (!found.has(by) && keys.some((key) => key.jkt === by)) {
        found.add(by);
        open.push(by);
      }
  return found;
}
