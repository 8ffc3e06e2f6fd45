const raw = new WeakMap<Request, readonly string[]>();

/** Keeps the header lines of a request as they came: name, value, name, value … */
export function keepRawHeaders(request: Request, lines: readonly string[]): void {
  raw.set(request, lines);
}

/**
 * All values of a header, one for each line that came. `Headers` joins lines and Node drops the second
 * `Authorization`: whoever must refuse a repeated header counts here. A request that was not received by `serve` has
 * only its joined value.
 */
export function headerLines(request: Request, name: string): readonly string[] {
  const wanted = name.toLowerCase();
  const lines = raw.get(request);
  if (lines === undefined) {
    const joined = request.headers.get(wanted);
    return joined === null ? [] : [joined];
  }
  const values: string[] = [];
  for (let i = 0; i + 1 < lines.length; i += 2)
    if (lines[i]?.toLowerCase() === wanted) values.push(lines[i + 1] ?? "");
  return values;
}

/** Every header line as it came, as flat pairs of name and value. */
export function rawHeadersOf(request: Request): readonly string[] {
  return raw.get(request) ?? [...request.headers].flat();
}
