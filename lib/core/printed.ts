/** Whatever somebody has thrown, for a log. Printing it never throws. */
export function printed(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'something that cannot be printed';
  }
}
