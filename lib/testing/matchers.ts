import type { TaskClass } from '../run/task-submission.js';
import { FlowrraConfigError } from '../job/errors.js';
import { showValue } from '../job/show-value.js';
import type { FlowrraTesting, SubmittedJob } from './flowrra-testing.js';

/** The `this` of a matcher in Jest and in Vitest. */
interface MatcherContext {
  equals(a: unknown, b: unknown): boolean;
}

interface MatcherResult {
  readonly pass: boolean;
  message(): string;
}

/**
 * The types of the matchers. Add them to the types of your test runner, once:
 *
 * ```ts
 * // Jest, with the global `expect` of @types/jest
 * declare global { namespace jest { interface Matchers<R> extends FlowrraMatchers<R> {} } }
 * // Jest, with `expect` from '@jest/globals'
 * declare module 'expect' { interface Matchers<R> extends FlowrraMatchers<R> {} }
 * // Vitest 3.2 or later
 * declare module 'vitest' { interface Matchers<T> extends FlowrraMatchers<T> {} }
 * ```
 */
export interface FlowrraMatchers<R> {
  /** Passes if a job of the task was submitted, with these arguments if `args` is given. `args` may contain `expect.any(…)`. */
  toHaveSubmitted<T extends object>(task: TaskClass<T>, method: keyof T & string, args?: unknown[]): R;
  toHaveSubmitted(name: string, args?: unknown[]): R;
}

/** For `expect.extend(flowrraMatchers)`. */
export const flowrraMatchers = {
  toHaveSubmitted(
    this: MatcherContext,
    flowrra: FlowrraTesting,
    task: TaskClass<object> | string,
    ...rest: [method: string, args?: unknown[] | undefined] | [args?: unknown[] | undefined]
  ): MatcherResult {
    if (typeof (flowrra as Partial<FlowrraTesting> | null)?.submitted !== 'function')
      throw new FlowrraConfigError('toHaveSubmitted: call expect() with the FlowrraTesting of the module.');
    const byName = typeof task === 'string';
    const name = byName ? task : `${task.name}.${String(rest[0])}`;
    const args = (byName ? rest[0] : rest[1]) as unknown[] | undefined;
    const jobs: SubmittedJob[] = byName ? flowrra.submitted(task) : flowrra.submitted(task, rest[0] as never);
    const pass = jobs.some((job) => args === undefined || this.equals(job.args, args));
    return { pass, message: () => messageOf(name, args, jobs, pass) };
  },
};

function messageOf(
  name: string,
  args: unknown[] | undefined,
  jobs: readonly SubmittedJob[],
  pass: boolean,
): string {
  const wanted = `${name}${args === undefined ? '' : ` with ${listOf(args)}`}`;
  if (pass) return `Expected that no job of ${wanted} was submitted.`;
  const seen = jobs.map((job) => listOf(job.args)).join(' and ');
  return `Expected that a job of ${wanted} was submitted. ${seen === '' ? 'There was none.' : `Submitted: with ${seen}.`}`;
}

function listOf(args: readonly unknown[]): string {
  return `[${args.map((arg) => (typeof arg === 'object' ? JSON.stringify(arg) : showValue(arg))).join(', ')}]`;
}
