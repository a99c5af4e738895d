/**
 * The key that marks a value for which JSON has no word. A user's own object with such a key is
 * written as entries.
 */
export const TAG = '$type';

export interface Tagged {
  [TAG]: string;
  value?: unknown;
}

/** Cheap, and true of nearly no string: what it finds is looked at again. */
const SUSPECT = /[\0\ud800-\udfff]/;
/** NUL and surrogates without their other half: what PostgreSQL and UTF-8 cannot hold. */
const UNSAFE = /[\0\p{Surrogate}]/u;
/** As {@link UNSAFE}, and the escape character itself. */
const TO_ESCAPE = /[\0~\p{Surrogate}]/gu;
const ESCAPED = /~([0-9A-F]{4})/g;

export function isSafeText(text: string): boolean {
  return !SUSPECT.test(text) || !UNSAFE.test(text);
}

/** `a~0000b`: readable, and without the backslash that JSON would make an escape of. */
export function escapeText(text: string): string {
  return text.replace(
    TO_ESCAPE,
    (unit) => `~${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  );
}

export function unescapeText(text: string): string {
  return text.replace(ESCAPED, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
