import { FlowrraConfigError } from './errors.js';
import { showValue } from './show-value.js';
import { insteadOf } from './foreign-words.js';

/** The error for an invalid value. `need` is a sentence that says which values are valid. */
export function wrong(path: string, value: unknown, need: string): FlowrraConfigError {
  return new FlowrraConfigError(`${path}: ${showValue(value)} is not valid. ${need}`);
}

/** The keys of an interface. The compiler rejects a list that lacks a key or has an unknown one. */
export function keysOf<T extends object>(keys: {
  readonly [K in keyof Required<T>]: true;
}): readonly string[] {
  return Object.keys(keys);
}

/**
 * Checks that `value` is an object without unknown keys.
 *
 * @param path Names the object in errors, such as `queues.reports`.
 * @throws {FlowrraConfigError} that names the unknown key, and the option to use instead or the nearest known key.
 */
export function checkKeys(value: unknown, known: readonly string[], path: string): void {
  const keys = isObject(value) ? Object.keys(value) : [];
  if (!isObject(value) || (keys.length === 0 && isBuiltIn(value)))
    throw wrong(path, value, `It must be an object with some of: ${known.join(', ')}.`);
  for (const key of keys) {
    if (known.includes(key)) continue;
    const given = (value as Record<string, unknown>)[key];
    // With one wrong letter, the key is a typing error and not an option of another library.
    const instead = known.some((name) => distance(key, name) === 1) ? undefined : insteadOf(key);
    const hint = instead === undefined ? suggest(key, known) : `${instead} Known: ${known.join(', ')}.`;
    throw new FlowrraConfigError(`${path}: unknown option '${key}' (given ${showValue(given)}). ${hint}`);
  }
}

/** @throws {FlowrraConfigError} unless `value` is an object and no array. */
export function checkObject(value: unknown, path: string, need: string): asserts value is object {
  if (!isObject(value)) throw wrong(path, value, need);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A `Date`, a `Map`, a promise: an object that was not made to hold options. */
function isBuiltIn(value: object): boolean {
  return Object.prototype.toString.call(value) !== '[object Object]';
}

export function hasMethods<T extends object>(value: unknown, methods: readonly string[]): value is T {
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  );
}

/** Suggests the known word that is nearest to `given`, if one is near, and lists all known words. */
export function suggest(given: unknown, known: readonly string[]): string {
  const nearest = typeof given === 'string' ? nearestTo(given, known) : undefined;
  return `${nearest === undefined ? '' : `Did you mean '${nearest}'? `}Known: ${known.join(', ')}.`;
}

function nearestTo(word: string, known: readonly string[]): string | undefined {
  const [nearest] = known
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= nearEnough(Math.max(word.length, candidate.length)))
    .sort((a, b) => a.edits - b.edits);
  return nearest?.candidate;
}

/** Up to a third of the letters may differ, and at most three: a suggestion beyond that would be a guess. */
function nearEnough(length: number): number {
  return Math.min(3, Math.floor(length / 3));
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
