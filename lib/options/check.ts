import { parseDuration } from '../core/duration.js';
import { FlowrraConfigError } from '../core/errors.js';

/** Words nearer than this many edits are worth suggesting. */
const NEAR = 3;

/** How a value has to be, to stand in an error. */
export function wrong(path: string, value: unknown, need: string): FlowrraConfigError {
  return new FlowrraConfigError(`${path}: ${show(value)} is not valid. ${need}`);
}

/**
 * Checks that `value` is an object with none but the known keys.
 *
 * @param path What to call the object in errors, such as `forRoot` or `queues.reports`.
 * @throws {FlowrraConfigError} naming the unknown key and the nearest known one.
 */
export function checkKeys(value: unknown, known: readonly string[], path: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(path, value, `It must be an object with some of: ${known.join(', ')}.`);
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      throw new FlowrraConfigError(
        `${path}: unknown option '${key}' (value ${show((value as Record<string, unknown>)[key])}). ${suggest(key, known)}`,
      );
    }
  }
}

/** A whole number within bounds, or `fallback` if it was not given. `Infinity` counts as one if `max` is infinite. */
export function wholeNumber(
  value: unknown,
  path: string,
  { min, max, fallback }: { min: number; max: number; fallback: number },
): number {
  if (value === undefined) return fallback;
  const valid =
    typeof value === 'number' &&
    value >= min &&
    value <= max &&
    (Number.isInteger(value) || value === Infinity);
  if (valid) return value;
  throw wrong(
    path,
    value,
    `It must be a whole number from ${min}${max === Infinity ? ' on, or Infinity' : ` to ${max}`}.`,
  );
}

/** One of a few words, or `fallback` if it was not given. */
export function oneOf<T extends string>(value: unknown, path: string, words: readonly T[], fallback: T): T {
  if (value === undefined) return fallback;
  if (words.includes(value as T)) return value as T;
  throw wrong(path, value, suggest(typeof value === 'string' ? value : '', words));
}

export function flag(value: unknown, path: string, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value === 'boolean') return value;
  throw wrong(path, value, 'It must be true or false.');
}

/** Milliseconds, or `fallback` if it was not given. */
export function duration(value: unknown, path: string, fallback: number): number {
  return value === undefined ? fallback : parseDuration(value, path);
}

/** What was probably meant, and what is known. */
export function suggest(word: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ edits }) => edits <= NEAR)
    .sort((a, b) => a.edits - b.edits);
  return `${nearest ? `Did you mean '${nearest.candidate}'? ` : ''}Known: ${known.join(', ')}.`;
}

/** The number of insertions, deletions and replacements between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 80 ? `${value.slice(0, 80)}…` : value}'`;
  if (typeof value === 'function') return `the function ${value.name || '(anonymous)'}`;
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
