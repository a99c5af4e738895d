import { FlowrraConfigError } from '../../job/errors.js';
import type { Duration } from '../../job/duration.js';
import type { ScheduleOptions } from '../../job/schedule/schedule-options.js';
import type { TaskContext } from '../../run/task-context.js';
import { defineSchedule, describeMember, type ScheduleDecoration } from './task-metadata.js';

/** A class with the method `K`, which takes at most a {@link TaskContext}: an occurrence has no arguments. */
type ScheduledHostOf<T, K extends string> =
  T extends Record<K, (context: TaskContext) => unknown> ? T : never;

/** Options of `@Interval()`, beside those of every schedule. */
export interface IntervalOptions extends Omit<ScheduleOptions, 'timezone'> {
  /**
   * The schedule's name: 1 to 255 characters.
   *
   * @defaultValue the name of the task
   */
  name?: string;
  /**
   * Whether the schedule has no occurrences. The method is a task all the same.
   *
   * @defaultValue `false`
   */
  disabled?: boolean;
}

/** Options of `@Cron()`, beside those of every schedule. */
export interface CronOptions extends ScheduleOptions, Pick<IntervalOptions, 'name' | 'disabled'> {
  /**
   * The name that `@nestjs/schedule` has for `timezone`.
   *
   * @defaultValue `'UTC'`
   */
  timeZone?: string;
  /**
   * The option of `@nestjs/schedule`: `true` means `overlap: 'skip'`, `false` means `overlap: 'allow'`.
   *
   * @defaultValue `true`
   */
  waitForCompletion?: boolean;
}

/**
 * Runs a public method of a provider or controller at the times of a cron expression, once for all processes:
 * `@Cron('0 6 * * 1-5', { timezone: 'Europe/Berlin' })`. The method is a task, also without `@Task()`, which sets its
 * queue, retries and so on.
 *
 * @param expression 5 fields, or 6 with seconds first; `L`, `W` and `#` are possible. See {@link CronExpression}.
 * @throws {FlowrraConfigError} when the class is defined, if the decorated member is not an instance method, or has
 *   two schedules. Options are checked when the application starts.
 */
export function Cron(expression: string, options: CronOptions = {}) {
  const { name, disabled = false, timeZone, waitForCompletion, ...rest } = options;
  const rule = {
    cron: expression,
    ...(timeZone !== undefined && { timezone: timeZone }),
    ...(waitForCompletion !== undefined && { overlap: waitForCompletion ? 'skip' : 'allow' }),
    ...rest,
  };
  return scheduled('@Cron()', { name, disabled, rule });
}

/**
 * Runs a public method of a provider or controller at regular times, once for all processes: `@Interval('15m')`. The
 * times are whole multiples of the interval since 1970-01-01T00:00:00Z, or since `start`. The method is a task, also
 * without `@Task()`.
 *
 * @param every At least 1 s; a number is milliseconds.
 * @throws {FlowrraConfigError} when the class is defined, if the decorated member is not an instance method, or has
 *   two schedules. Options are checked when the application starts.
 */
export function Interval(every: Duration, options?: IntervalOptions): ScheduleDecorator;
/** As in `@nestjs/schedule`: the name first. */
export function Interval(name: string, every: Duration, options?: IntervalOptions): ScheduleDecorator;
export function Interval(
  first: number | string,
  second?: Duration | IntervalOptions,
  third: IntervalOptions = {},
): ScheduleDecorator {
  const named = typeof second === 'number' || typeof second === 'string';
  const { name, disabled = false, ...rest } = named ? { name: first as string, ...third } : (second ?? {});
  return scheduled('@Interval()', { name, disabled, rule: { every: named ? second : first, ...rest } });
}

type ScheduleDecorator = <T extends object, K extends string>(
  target: T & ScheduledHostOf<T, K>,
  key: K,
  descriptor: PropertyDescriptor,
) => void;

function scheduled(decorator: string, schedule: ScheduleDecoration): ScheduleDecorator {
  return (target, key, descriptor) => {
    const prototype: object = target;
    if (typeof prototype === 'function' || typeof key !== 'string' || typeof descriptor?.value !== 'function')
      throw new FlowrraConfigError(
        `${decorator} on ${describeMember(prototype, String(key))}: the decorated member must be an instance method whose name is a string.`,
      );
    defineSchedule(prototype, key, schedule);
  };
}
