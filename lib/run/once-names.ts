import { FlowrraConfigError } from '../job/errors.js';
import { showValue } from '../job/show-value.js';

/**
 * The names of an attempt's blocks. The same block may come again, since its transaction may have failed. Any other block
 * of the same name would be skipped, as if it had taken effect.
 */
export class OnceNames {
  private readonly sources = new Map<string, string>();
  /** The names of which a call has resolved, with the effect of its block or without. */
  private readonly resolved = new Set<string>();

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

  /**
   * A call has resolved.
   *
   * @param isSkipped Whether its block was skipped.
   * @throws {Error} if the attempt has skipped the block after an earlier call, as in a loop without names. It is no
   *   configuration error: after a commit whose answer was lost, the next attempt finds the block done.
   */
  end(name: string, isSkipped: boolean): void {
    if (isSkipped && this.resolved.has(name))
      throw new Error(
        `ctx.once(): the block '${name}' has taken effect already, and was called again in the same attempt. If it stands in a loop, give each round a name: once(tx, fn, { name: \`item-\${id}\` }).`,
      );
    this.resolved.add(name);
  }
}
