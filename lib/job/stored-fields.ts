import type { AttemptError, Metadata } from './job.js';
import { PayloadError } from './errors.js';
import { isPlainObject } from './payload/payload-kind.js';

/** What a `Date` can hold, in milliseconds since the epoch. */
const LATEST = 8.64e15;

/**
 * Reads what a store holds of a job field by field, where other programs and people may have written
 * anything: what cannot be read is noted, and the rest is shown.
 */
export class StoredFields {
  private readonly errors = new Map<string, unknown>();

  /** The names of those that could not be read; `undefined` for none. */
  get unreadable(): readonly string[] | undefined {
    return this.errors.size === 0 ? undefined : [...this.errors.keys()];
  }

  read<T, F>(field: string, read: () => T, instead: F): T | F {
    try {
      return read();
    } catch (error) {
      this.note(field, error);
      return instead;
    }
  }

  note(field: string, error: unknown): void {
    this.errors.set(field, error);
  }

  /** @throws what reading that field has thrown, if it has. */
  demand(field: string): void {
    if (this.errors.has(field)) throw this.errors.get(field);
  }
}

/** @throws {PayloadError} unless it is a plain object. */
export function metadataFrom(value: unknown): Metadata {
  if (isPlainObject(value)) return value;
  throw new PayloadError('metadata', 'it is no plain object, and no submission of Flowrra has written it');
}

/** @throws {PayloadError} unless it is an array. */
export function argsFrom(value: unknown): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new PayloadError('args', 'they are no array, and no submission of Flowrra has written them');
}

/** Those entries that are errors of attempts, as they should be. */
export function errorsFrom(value: unknown): readonly AttemptError[] {
  return Array.isArray(value) ? (value as unknown[]).filter(isAttemptError) : [];
}

/** Whether {@link errorsFrom} leaves nothing out. */
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
