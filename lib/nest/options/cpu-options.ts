import type { ResourceLimits } from 'node:worker_threads';
import { wrong } from '../../job/check.js';
import { fileUrl, oneOf, optional, OptionTable, type Rule, type RulesOf } from '../../job/rules.js';

/** Options of the worker threads that run CPU-bound tasks. */
export interface CpuOptions {
  /**
   * The compiled file of a Nest module, which is the file's default export: an absolute path or a `file:` URL,
   * such as `new URL('./cpu.module.js', import.meta.url)` in ES modules or `join(__dirname, 'cpu.module.js')`
   * in CommonJS. Each thread creates an application context of the module, so that CPU-bound tasks have their
   * dependencies injected. If the module does not provide a task's class, the thread creates an instance
   * with `new`.
   *
   * If the file does not exist, the application does not start, unless its `role` is `'producer'`.
   *
   * @defaultValue no module
   */
  module?: string | URL;
  /**
   * `'thread'`, or `'inline'` to run CPU-bound tasks on the main thread, for tests.
   *
   * @defaultValue `'thread'`
   */
  mode?: 'thread' | 'inline';
  /**
   * Memory limits of each thread in megabytes, as in `node:worker_threads`. A thread that exceeds them is ended.
   *
   * @defaultValue no limits
   */
  resourceLimits?: ResourceLimits;
}

const megabytes: Rule<number | undefined> = (value, path) => {
  if (value === undefined || (typeof value === 'number' && value > 0 && value < Infinity)) return value;
  throw wrong(path, value, 'It must be a number of megabytes above 0.');
};

const LIMIT_RULES = new OptionTable({
  maxYoungGenerationSizeMb: megabytes,
  maxOldGenerationSizeMb: megabytes,
  codeRangeSizeMb: megabytes,
  stackSizeMb: megabytes,
} satisfies RulesOf<ResourceLimits>);

export const CPU_RULES = new OptionTable({
  module: optional(
    fileUrl("new URL('./cpu.module.js', import.meta.url), or join(__dirname, 'cpu.module.js') in CommonJS"),
    null,
  ),
  mode: oneOf(['thread', 'inline'], 'thread'),
  resourceLimits: optional<ResourceLimits, null>((value, path) => LIMIT_RULES.resolve(value, path), null),
} satisfies RulesOf<CpuOptions>);
