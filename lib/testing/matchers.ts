import { checkKeys, keysOf } from '../job/check.js';
import { type Duration, parseDuration } from '../job/duration.js';
import { FlowrraConfigError } from '../job/errors.js';
import type { ScheduleInfo } from '../job/schedule/schedule-view.js';
import { showValue } from '../job/show-value.js';
import type { TaskClass } from '../run/task-submission.js';
import type { FlowrraTesting, RecordedStep, SubmittedJob } from './flowrra-testing.js';

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
  /**
   * Passes if there is a schedule of this name, with these properties if `expected` is given. Await the assertion.
   *
   * @param name The schedule's name: that of its task, unless the decorator gives another one.
   */
  toHaveScheduled(name: string, expected?: ExpectedSchedule): Promise<void>;
  /**
   * Passes if a durable job has a step, a wait or a child job of this name, with these properties if `expected` is
   * given. Await the assertion.
   *
   * @param name As in `flowrra.steps(taskId)`: a child job has the name of its task, and `#` and its key.
   */
  toHaveStep(taskId: string, name: string, expected?: ExpectedStep): Promise<void>;
}

/** Some properties of a step. */
export type ExpectedStep = Partial<Omit<RecordedStep, 'name'>>;

/** Some properties of a schedule. Of objects, such as `paused`, the properties that are given count. */
export type ExpectedSchedule = {
  readonly [K in keyof ScheduleInfo]?: K extends 'every' | 'jitter'
    ? Duration | null
    : Date extends ScheduleInfo[K]
      ? ScheduleInfo[K]
      : ScheduleInfo[K] extends object | null
        ? Partial<ScheduleInfo[K]> | null
        : ScheduleInfo[K];
};

const SCHEDULE_KEYS = keysOf<ScheduleInfo>({
  name: true,
  task: true,
  cron: true,
  timezone: true,
  every: true,
  start: true,
  end: true,
  jitter: true,
  missed: true,
  overlap: true,
  next: true,
  paused: true,
  declared: true,
  orphaned: true,
  counts: true,
});

const STEP_KEYS = keysOf<ExpectedStep>({
  kind: true,
  status: true,
  startedAt: true,
  endedAt: true,
  error: true,
  taskId: true,
  result: true,
});

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

  async toHaveScheduled(
    this: MatcherContext,
    flowrra: FlowrraTesting,
    name: string,
    expected: ExpectedSchedule = {},
  ): Promise<MatcherResult> {
    if (typeof (flowrra as Partial<FlowrraTesting> | null)?.schedules?.list !== 'function')
      throw new FlowrraConfigError('toHaveScheduled: call expect() with the FlowrraTesting of the module.');
    checkKeys(expected, SCHEDULE_KEYS, 'toHaveScheduled');
    const wanted = Object.entries(expected).map(([key, value]) => [key, milliseconds(key, value)] as const);
    const all = await flowrra.schedules.list();
    const found = all.find((info) => info.name === name);
    const differs =
      found && wanted.filter(([key, value]) => !has(found[key as keyof ScheduleInfo], value, this));
    const pass = differs !== undefined && differs.length === 0;
    return { pass, message: () => scheduleMessageOf(name, wanted, found ?? all, differs ?? []) };
  },

  async toHaveStep(
    this: MatcherContext,
    flowrra: FlowrraTesting,
    taskId: string,
    name: string,
    expected: ExpectedStep = {},
  ): Promise<MatcherResult> {
    if (typeof (flowrra as Partial<FlowrraTesting> | null)?.steps !== 'function')
      throw new FlowrraConfigError('toHaveStep: call expect() with the FlowrraTesting of the module.');
    checkKeys(expected, STEP_KEYS, 'toHaveStep');
    const wanted = Object.entries(expected);
    const steps = await flowrra.steps(taskId);
    const has = (step: RecordedStep): boolean =>
      wanted.every(([key, value]) => this.equals(step[key as keyof RecordedStep], value));
    const found = steps.filter((step) => step.name === name);
    const pass = found.some(has);
    return { pass, message: () => stepMessageOf(name, wanted, found, steps, pass) };
  },
};

type Entries = readonly (readonly [key: string, value: unknown])[];

function milliseconds(key: string, value: unknown): unknown {
  return (key === 'every' || key === 'jitter') && typeof value === 'string'
    ? parseDuration(value, `toHaveScheduled.${key}`)
    : value;
}

/** Whether a value equals the wanted one, or is an object with the wanted properties. */
function has(value: unknown, wanted: unknown, { equals }: MatcherContext): boolean {
  if (equals(value, wanted)) return true;
  if (!isPlainObject(wanted) || !isPlainObject(value)) return false;
  return Object.entries(wanted).every(([key, part]) => equals(value[key], part));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** @param found The schedule of the name, or all schedules if there is none. */
function scheduleMessageOf(
  name: string,
  wanted: Entries,
  found: ScheduleInfo | readonly ScheduleInfo[],
  differs: Entries,
): string {
  const properties = wanted.map(([key, value]) => `${key} ${shown(value)}`).join(', ');
  const subject = `schedule ${showValue(name)}${properties === '' ? '' : ` with ${properties}`}`;
  if ('length' in found) {
    const known = found.map((info) => showValue(info.name)).join(', ');
    return `Expected a ${subject}. There is ${known === '' ? 'no schedule' : `none of this name. Known: ${known}`}.`;
  }
  if (differs.length === 0) return `Expected no ${subject}.`;
  const actual = differs.map(([key]) => `${key} ${shown(found[key as keyof ScheduleInfo])}`).join(', ');
  return `Expected a ${subject}. It has ${actual}.`;
}

/** @param found The steps of the name. */
function stepMessageOf(
  name: string,
  wanted: Entries,
  found: readonly RecordedStep[],
  all: readonly RecordedStep[],
  pass: boolean,
): string {
  const properties = wanted.map(([key, value]) => `${key} ${shown(value)}`).join(', ');
  const subject = `step ${showValue(name)}${properties === '' ? '' : ` with ${properties}`}`;
  if (pass) return `Expected no ${subject}.`;
  const known = all.map((step) => showValue(step.name)).join(', ');
  if (found.length === 0)
    return `Expected a ${subject}. The job has ${known === '' ? 'no steps' : `none of this name. Its steps: ${known}`}.`;
  const actual = found.map((step) =>
    wanted.map(([key]) => `${key} ${shown(step[key as keyof RecordedStep])}`).join(', '),
  );
  return `Expected a ${subject}. It has ${actual.join(' and ')}.`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? showValue(value) : (JSON.stringify(value) ?? String(value));
}

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
