/** The system's clock in seconds. */
export function systemClock(): number {
  return Math.floor(Date.now() / 1000);
}
