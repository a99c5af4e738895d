import { shownText } from './show-value.js';

/** Whatever somebody has thrown, for a line of a log. Printing it never throws. */
export function printed(thrown: unknown): string {
  try {
    return shownText(String(thrown));
  } catch {
    return 'something that cannot be printed';
  }
}
