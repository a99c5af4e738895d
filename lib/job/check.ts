import { parseDuration } from './duration.js';
import { FlowrraConfigError } from './errors.js';
import { showValue } from './show-value.js';
import { insteadOf } from './foreign-words.js';

/** The error for a value that is known but wrong; `need` says, in a sentence, what would be right. */
export function wrong(path: string, value: unknown, need: string): FlowrraConfigError {
  return new FlowrraConfigError(`${path}: ${showValue(value)} is not valid. ${need}`);
}

/** The names of an interface's keys. The compiler sees to it that none is missing and none is too many. */
export function keysOf<T extends object>(keys: {
  readonly [K in keyof Required<T>]: true;
}): readonly string[] {
  return Object.keys(keys);
}

/**
 * Checks that `value` is an object with none but the known keys.
 *
 * @param path What to call the object in errors, such as `forRoot` or `queues.reports`.
 * @throws {FlowrraConfigError} naming the unknown key, and the option to use instead or the nearest known one.
 */
export function checkKeys(value: unknown, known: readonly string[], path: string): void {
  checkObject(value, path, `It must be an object with some of: ${known.join(', ')}.`);
  for (const [key, given] of Object.entries(value)) {
    if (known.includes(key)) continue;
    // One letter away, it is a slip and not a word of another library.
    const instead = known.some((name) => distance(key, name) === 1) ? undefined : insteadOf(key);
    const hint = instead === undefined ? suggest(key, known) : `${instead} Known: ${known.join(', ')}.`;
    throw new FlowrraConfigError(`${path}: unknown option '${key}' (given ${showValue(given)}). ${hint}`);
  }
}

/** @throws {FlowrraConfigError} for anything but an object that could hold options. */
export function checkObject(value: unknown, path: string, need: string): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, value, need);
}

export interface WholeNumberRule {
  readonly min: number;
  /** Default: no bound. `Infinity` itself is refused unless `infinite` is set. */
  readonly max?: number;
  readonly infinite?: boolean;
  readonly fallback: number;
}

/** A whole number within bounds, or `fallback` if it was not given. */
export function wholeNumber(value: unknown, path: string, rule: WholeNumberRule): number {
  const { min, max = Number.MAX_SAFE_INTEGER, infinite = false, fallback } = rule;
  if (value === undefined) return fallback;
  if (infinite && value === Infinity) return value;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  const bounds = rule.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  throw wrong(path, value, `It must be a whole number ${bounds}${infinite ? ', or Infinity' : ''}.`);
}

/** One of a few words, or `fallback` if it was not given. */
export function oneOf<T extends string>(value: unknown, path: string, words: readonly T[], fallback: T): T {
  if (value === undefined) return fallback;
  if (words.includes(value as T)) return value as T;
  throw wrong(path, value, suggest(value, words));
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

/** Milliseconds within bounds, or `fallback` if it was not given. */
export function durationBetween(
  min: number,
  max: number,
  value: unknown,
  path: string,
  fallback: number,
): number {
  const ms = duration(value, path, fallback);
  if (ms >= min && ms <= max) return ms;
  throw wrong(path, value, `It must be at least ${min} ms and at most ${max} ms.`);
}

/** Milliseconds of which there is at least one, or `Infinity` for no limit: given so, or not given. */
export function timeLimit(value: unknown, path: string): number {
  if (value === undefined || value === Infinity) return Infinity;
  const limit = parseDuration(value, path);
  if (limit > 0) return limit;
  throw wrong(path, value, 'It must be at least 1 ms; leave it out, or give Infinity, for no limit.');
}

export function hasMethods<T extends object>(value: unknown, methods: readonly string[]): value is T {
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  );
}

/** What was probably meant, and what is known. */
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

/** A third of a word may be wrong, and never more than three letters: beyond, a suggestion is a guess. */
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
