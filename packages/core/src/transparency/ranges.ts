/** Entries start … end − 1, where `start` is as the recursions of RFC 9162 reach it. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The complete subtree over the entries index·2^level … (index + 1)·2^level − 1. */
export interface Subtree {
  readonly level: number;
  readonly index: number;
}

/** Largest power of two below `size`, as RFC 9162 splits a tree; `size` is at least 2. */
function splitOf(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

/** What each hash of an audit path covers, from the entry's sibling upwards (RFC 9162 section 2.1.3.1). */
export function inclusionRanges(index: number, size: number): readonly Range[] {
  const path: Range[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    path.push(index < middle ? { start: middle, end } : { start, end: middle });
    if (index < middle) end = middle;
    else start = middle;
  }
  return path.toReversed();
}

/** What each hash of a consistency proof covers (RFC 9162 section 2.1.4.1). Empty for `from` 0 and for `from` = `to`. */
export function consistencyRanges(from: number, to: number): readonly Range[] {
  if (from === 0 || from === to) return [];
  const path: Range[] = [];
  let start = 0;
  let end = to;
  while (end !== from) {
    const middle = start + splitOf(end - start);
    path.push(from <= middle ? { start: middle, end } : { start, end: middle });
    if (from <= middle) end = middle;
    else start = middle;
  }
  if (start > 0) path.push({ start, end }); // the verifier knows the old root where it is one subtree
  return path.toReversed();
}

/** The complete subtrees that a range is made of, from left to right, each smaller than the one before. */
export function subtreesOf({ start, end }: Range): readonly Subtree[] {
  const found: Subtree[] = [];
  let at = start;
  while (at < end) {
    let level = 0;
    let span = 1;
    while (span * 2 <= end - at) {
      span *= 2;
      level += 1;
    }
    found.push({ level, index: at / span });
    at += span;
  }
  return found;
}
