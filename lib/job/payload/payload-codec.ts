import { PayloadWalk } from './payload-walk.js';
import { SCALAR_BYTES } from './payload-size.js';
import { PayloadError } from '../errors.js';
import { showValue } from '../show-value.js';
import { isPlainObject } from './payload-kind.js';

export { copyPlain } from './copy-plain.js';

/** The most bytes that a UTF-16 unit of a string takes in UTF-8. */
const WIDEST = 3;

/** The most that a job's metadata, and what it says of its progress, may be. */
const MAX_EXTRA_BYTES = 16_384;

/**
 * Turns what a caller passes, or a task returns, into plain data that nobody else holds: the same on
 * every engine, so that what works in memory works on a cluster. Shared references become copies.
 */
export class PayloadCodec {
  private readonly maxBytes: number;

  /** @param options `maxBytes` bounds the arguments of one call together, and a result. */
  constructor(options: { maxBytes: number }) {
    this.maxBytes = options.maxBytes;
  }

  /** @throws {PayloadError} if an argument cannot travel, or all together are too large. */
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

  /** @throws {PayloadError} if the value cannot travel, or is too large. */
  copyResult(value: unknown): unknown {
    const size = mostBytes(value);
    return size < 0 || size > this.maxBytes ? new PayloadWalk('result', this.maxBytes).result(value) : value;
  }

  /** @throws {PayloadError} if it cannot travel, is larger than 16 KiB, or travels as anything but an object. */
  copyMetadata(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const copy = new PayloadWalk('metadata', MAX_EXTRA_BYTES).result(value);
    if (isPlainObject(copy)) return copy;
    throw new PayloadError(
      'metadata',
      `it must travel as a plain object, and its toJSON() returned ${showValue(copy)}`,
    );
  }

  /** What `context.capture()` has returned. @throws {PayloadError} if it cannot travel, or is larger than 16 KiB. */
  copyContext(value: unknown): unknown {
    return new PayloadWalk('context', MAX_EXTRA_BYTES).result(value);
  }

  /** @throws {PayloadError} if it cannot travel, or is larger than 16 KiB. */
  copyProgress(value: unknown): unknown {
    return new PayloadWalk('progress', MAX_EXTRA_BYTES).result(value);
  }
}

/** The most that a simple value can count, without measuring it; -1 for whatever needs a closer look. */
function mostBytes(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return value.length * WIDEST;
    case 'number':
    case 'boolean':
    case 'undefined':
      return SCALAR_BYTES;
    default:
      return value === null ? SCALAR_BYTES : -1;
  }
}
