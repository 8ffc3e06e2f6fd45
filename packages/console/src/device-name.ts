/** What this device is called in the list of keys, as far as the browser says it. */
export function deviceName(): string {
  const [, named = "This device"] =
    /(Macintosh|Windows|Android|iPhone|iPad|CrOS|Linux)/.exec(navigator.userAgent) ?? [];
  return named === "Macintosh" ? "Mac" : named;
}
