import { FlowrraConfigError } from '../job/errors.js';
import { showValue } from '../job/show-value.js';

/**
 * The names of an attempt's blocks. The same block may come again, since its transaction may have failed. Another block
 * of the same name would be skipped, as if it had taken effect.
 */
export class OnceNames {
  private readonly sources = new Map<string, string>();

  /** @throws {FlowrraConfigError} if another block of the attempt has the name. */
  use(name: string, fn: unknown): string {
    if (typeof fn !== 'function')
      throw new FlowrraConfigError(`ctx.once(): the block, ${showValue(fn)}, must be a function.`);
    const source = Function.prototype.toString.call(fn);
    const known = this.sources.get(name);
    if (known !== undefined && known !== source)
      throw new FlowrraConfigError(
        `ctx.once(): two blocks of the task have the name '${name}'. Give each one its own: once(tx, fn, { name: 'charge' }).`,
      );
    this.sources.set(name, source);
    return name;
  }
}
