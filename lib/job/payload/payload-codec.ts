import { PayloadError } from '../errors.js';
import { showValue } from '../show-value.js';
import { type InnerCopy, SCALAR_BYTES } from './kinds/kind.js';
import { BIGINT, NUMBER } from './kinds/values.js';
import { isPlainObject, kindOf } from './payload-kind.js';
import { PayloadWalk } from './payload-walk.js';

/** The largest number of bytes in UTF-8 for one UTF-16 unit of a string. */
const MAX_UNIT_BYTES = 3;

/** The limit of a job's metadata, its captured context, and its progress. */
const MAX_EXTRA_BYTES = 16_384;

/**
 * Turns arguments and results into plain data that no other code holds. The data is the same on every engine,
 * so a task that works in memory works on a cluster. Shared references become copies.
 */
export class PayloadCodec {
  private readonly maxBytes: number;

  /** @param options `maxBytes` limits the arguments of one call together, and a result. */
  constructor(options: { maxBytes: number }) {
    this.maxBytes = options.maxBytes;
  }

  /** @throws {PayloadError} if an argument cannot be stored with a job, or all together are too large. */
  copyArgs(args: readonly unknown[]): unknown[] {
    let bytes = 0;
    for (let index = 0; index < args.length; index++) {
      const size = mostBytes(args[index]);
      if (size < 0) return new PayloadWalk('args', this.maxBytes).args(args);
      bytes += size;
    }
    if (bytes > this.maxBytes) return new PayloadWalk('args', this.maxBytes).args(args);
    // Not `slice()`, which would keep holes.
    return args.length === 1 ? [args[0]] : [...args];
  }

  /** @throws {PayloadError} if the value cannot be stored, or is too large. */
  copyResult(value: unknown): unknown {
    const size = mostBytes(value);
    return size < 0 || size > this.maxBytes ? new PayloadWalk('result', this.maxBytes).result(value) : value;
  }

  /** For the value of a signal. @throws {PayloadError} if it cannot be stored, or is too large. */
  copySignal(value: unknown): unknown {
    return new PayloadWalk('signal', this.maxBytes).result(value);
  }

  /** @throws {PayloadError} if it cannot be stored, is larger than 16 KiB, or its copy is not a plain object. */
  copyMetadata(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const copy = new PayloadWalk('metadata', MAX_EXTRA_BYTES).result(value);
    if (isPlainObject(copy)) return copy;
    throw new PayloadError(
      'metadata',
      `it must be a plain object, and its toJSON() returned ${showValue(copy)}`,
    );
  }

  /** For the value of `context.capture()`. @throws {PayloadError} if it cannot be stored, or is larger than 16 KiB. */
  copyContext(value: unknown): unknown {
    return new PayloadWalk('context', MAX_EXTRA_BYTES).result(value);
  }

  /** @throws {PayloadError} if it cannot be stored, or is larger than 16 KiB. */
  copyProgress(value: unknown): unknown {
    return new PayloadWalk('progress', MAX_EXTRA_BYTES).result(value);
  }
}

/** An upper limit of a simple value's bytes, without measuring it; -1 if only a walk can tell. */
function mostBytes(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return value.length * MAX_UNIT_BYTES;
    case 'number':
    case 'boolean':
    case 'undefined':
      return SCALAR_BYTES;
    default:
      return value === null ? SCALAR_BYTES : -1;
  }
}

/**
 * Copies data from the codec, without any check. A store that keeps plain data gives a copy to each attempt and
 * to each reader.
 */
export function copyPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return copyArray(value);
  if (Object.getPrototypeOf(value) === Object.prototype) return copyObject(value as Record<string, unknown>);
  const kind = kindOf(value);
  return typeof kind === 'string'
    ? copyObject(value as Record<string, unknown>)
    : kind.copy(value, UNCHECKED);
}

const UNCHECKED: InnerCopy = {
  property: (_name, value) => copyPlain(value),
  entry: (_step, value) => copyPlain(value),
  entryValue: (_step, value) => copyPlain(value),
};

function copyArray(value: readonly unknown[]): unknown[] {
  const copy = value.slice();
  for (let index = 0; index < copy.length; index++) {
    const child = copy[index];
    if (typeof child === 'object' && child !== null) copy[index] = copyPlain(child);
  }
  return copy;
}

/** The spread makes `__proto__` an own property, so the assignment below reaches no setter. */
function copyObject(value: Record<string, unknown>): Record<string, unknown> {
  const copy = { ...value };
  for (const key in copy) {
    const child = copy[key];
    if (typeof child === 'object' && child !== null && Object.hasOwn(copy, key)) copy[key] = copyPlain(child);
  }
  return copy;
}

/**
 * A value as plain JSON for HTTP clients. A value that JSON cannot hold becomes the nearest one that it can
 * hold, so this loses information; `serializeResult` is the lossless form.
 */
export function jsonView(value: unknown): unknown {
  switch (typeof value) {
    case 'number':
      return NUMBER.view(value, jsonView);
    case 'bigint':
      return BIGINT.view(value, jsonView);
    case 'undefined':
      return null;
    case 'object':
      return value === null ? null : objectView(value);
    default:
      return value;
  }
}

function objectView(value: object): unknown {
  const kind = kindOf(value);
  if (kind === 'array') return (value as unknown[]).map(jsonView);
  if (typeof kind !== 'string') return kind.view(value, jsonView);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .map(([key, entry]) => [key, jsonView(entry)]),
  );
}
