/** A time that SQLite's drivers can read again, however long the delay is. */
export function timeAfter(now: number, delay: number): number {
  return Math.min(now + delay, Number.MAX_SAFE_INTEGER);
}
