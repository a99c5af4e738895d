import { shownText } from './show-value.js';

/** Anything that was thrown, as text for a log line. Never throws. */
export function printed(thrown: unknown): string {
  try {
    return shownText(String(thrown));
  } catch {
    return 'something that cannot be printed';
  }
}
