import { checkStepName } from './durable-options.js';
import { optional, OptionTable, type RulesOf } from './rules.js';

/** Options of `ctx.once`. */
export interface OnceOptions {
  /**
   * The name of the block among those of the task: 1 to 200 characters. A task with several blocks gives each its own.
   *
   * @defaultValue `'once'`
   */
  name?: string;
}

export const ONCE_RULES = new OptionTable({
  name: optional(checkStepName, 'once'),
} satisfies RulesOf<OnceOptions>);
