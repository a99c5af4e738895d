import { Walk } from './walk.js';

/**
 * Checks what goes to a task and comes back, and makes it plain data that nobody else holds. The
 * same rules, and the same measure of size, hold on every engine.
 */
export class PayloadCodec {
  private readonly maxBytes: number;

  /** @param options.maxBytes The largest arguments, or result, of one job. */
  constructor({ maxBytes }: { maxBytes: number }) {
    this.maxBytes = maxBytes;
  }

  /** @throws {PayloadError} naming what cannot travel, such as `args[0].user.save`. */
  copyArgs(args: readonly unknown[]): unknown[] {
    if (args.length === 1) return [this.copy(args[0], args, 'args', 0)];
    const walk = new Walk(this.maxBytes);
    try {
      return args.map((value, index) => (isCheap(value) ? value : walk.value(value, index)));
    } catch (error) {
      throw walk.explain(error, 'args', args);
    }
  }

  /** @throws {PayloadError} naming what cannot travel, such as `result.callback`. */
  copyResult(value: unknown): unknown {
    return this.copy(value, value, 'result', null);
  }

  private copy(value: unknown, root: unknown, name: string, key: number | null): unknown {
    if (isCheap(value)) return value;
    const walk = new Walk(this.maxBytes);
    try {
      return key === null ? walk.root(value) : walk.value(value, key);
    } catch (error) {
      throw walk.explain(error, name, root);
    }
  }
}

/** The largest string that is not worth measuring: it fits under any sensible limit. */
const SHORT = 64;

function isCheap(value: unknown): boolean {
  switch (typeof value) {
    case 'number':
    case 'boolean':
    case 'undefined':
      return true;
    case 'string':
      return value.length <= SHORT;
    default:
      return value === null;
  }
}
