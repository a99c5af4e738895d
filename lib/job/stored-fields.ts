import type { AttemptError, Metadata } from './job.js';
import { PayloadError } from './errors.js';
import { isPlainObject } from './payload/payload-kind.js';
import { areStoredTags } from './tags.js';

/** The latest time that a `Date` can hold, in milliseconds since the epoch. */
const LATEST = 8.64e15;

/**
 * Reads a stored job field by field. Other programs may have written to the store, so a field may be
 * unreadable: it is noted, and the other fields are read.
 */
export class StoredFields {
  private readonly errors = new Map<string, unknown>();

  /** The names of the unreadable fields; `undefined` for none. */
  get unreadable(): readonly string[] | undefined {
    return this.errors.size === 0 ? undefined : [...this.errors.keys()];
  }

  /** The field, or `fallback` if it is unreadable. */
  read<T, F>(field: string, read: () => T, fallback: F): T | F {
    try {
      return read();
    } catch (error) {
      this.note(field, error);
      return fallback;
    }
  }

  note(field: string, error: unknown): void {
    this.errors.set(field, error);
  }

  /** @throws The error of the field, if it is unreadable. */
  demand(field: string): void {
    if (this.errors.has(field)) throw this.errors.get(field);
  }
}

/** @throws {PayloadError} unless it is a plain object. */
export function metadataFrom(value: unknown): Metadata {
  if (isPlainObject(value)) return value;
  throw new PayloadError('metadata', 'it is no plain object, so Flowrra did not write it');
}

/** @throws {PayloadError} unless it is an array. */
export function argsFrom(value: unknown): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new PayloadError('args', 'they are no array, so Flowrra did not write them');
}

/** @throws {PayloadError} unless it is a list of tags. */
export function tagsFrom(value: unknown): readonly string[] {
  if (areStoredTags(value)) return value;
  throw new PayloadError('tags', 'they are no list of tags, so Flowrra did not write them');
}

/** The entries that are errors of attempts. */
export function errorsFrom(value: unknown): readonly AttemptError[] {
  return Array.isArray(value) ? (value as unknown[]).filter(isAttemptError) : [];
}

/** Whether every entry is an error of an attempt. */
export function areErrors(value: unknown): boolean {
  return Array.isArray(value) && (value as unknown[]).every(isAttemptError);
}

export function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= LATEST;
}

function isAttemptError(error: unknown): error is AttemptError {
  const { attempt, name, message, code, stack, at } = (error ?? {}) as Partial<
    Record<keyof AttemptError, unknown>
  >;
  return (
    Number.isInteger(attempt) &&
    typeof name === 'string' &&
    typeof message === 'string' &&
    (typeof code === 'string' || code === null) &&
    (typeof stack === 'string' || stack === null) &&
    isTime(at)
  );
}
