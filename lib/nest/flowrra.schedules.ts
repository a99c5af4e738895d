import { wrong } from '../job/check.js';
import type { Clock } from '../job/clock.js';
import { checkScheduleName } from '../job/names.js';
import { PayloadCodec } from '../job/payload/payload-codec.js';
import { payloadToText } from '../job/payload/payload-text.js';
import { OptionTable, type Rule, type RulesOf, wholeNumber } from '../job/rules.js';
import { resolveScheduleRule, type ScheduleRuleOptions } from '../job/schedule/schedule-options.js';
import { occurrencesAfter, type ScheduleDetails, type ScheduleInfo } from '../job/schedule/schedule-view.js';
import type { TaskRegistry } from '../run/task-registry.js';
import type { NamedArgs, TaskArgs, TaskFunction, TaskId, TaskName } from '../run/task-types.js';
import type { FlowrraRuntime } from './flowrra.runtime.js';

/** Options of `schedules.pause()`. */
export interface PauseScheduleOptions {
  /**
   * Why it is paused, shown by `list` and `get`: 1 to 1,000 characters.
   *
   * @defaultValue no reason
   */
  reason?: string;
  /**
   * Who paused it, shown by `list` and `get`: 1 to 1,000 characters.
   *
   * @defaultValue unknown
   */
  by?: string;
}

const MAX_TEXT = 1_000;
const MAX_PREVIEW = 1_000;

const someText: Rule<string | null> = (value, path) => {
  if (value === undefined) return null;
  if (typeof value === 'string' && value !== '' && value.length <= MAX_TEXT) return value;
  throw wrong(path, value, `It must be 1 to ${MAX_TEXT} characters.`);
};

const PAUSE_RULES = new OptionTable({
  reason: someText,
  by: someText,
} satisfies RulesOf<PauseScheduleOptions>);

const checkCount = wholeNumber({ min: 1, max: MAX_PREVIEW, default: 5 });

/**
 * Schedules: jobs that are submitted at certain times, once for all processes. `@Cron()` and `@Interval()` declare
 * them on a task's method; `set` adds them at run time.
 *
 * All methods reject with an `ExecutorNotRunningError` if Flowrra is not running, with a `FlowrraConfigError` if the
 * engine does not support schedules, and with an `EngineError` if the engine cannot be reached.
 */
export class FlowrraSchedules {
  private readonly codec: PayloadCodec;

  constructor(
    private readonly runtime: FlowrraRuntime,
    private readonly registry: TaskRegistry,
    private readonly options: { readonly clock: Clock; readonly maxPayloadBytes: number },
  ) {
    this.codec = new PayloadCodec({ maxBytes: options.maxPayloadBytes });
  }

  /**
   * Adds a schedule, or replaces the one with this name: its jobs call the task with the arguments. The same times,
   * options, task and arguments again change nothing, so a schedule can be set at each start of the application. A
   * paused schedule stays paused.
   *
   * On the memory engine, schedules that are set at run time last as long as the process.
   *
   * @param name 1 to 255 characters, none a control character.
   * @throws {FlowrraConfigError} if the name or an option is invalid, or a decorator declares the schedule.
   * @throws {TaskNotFoundError} for an unknown task.
   * @throws {PayloadError} if an argument cannot be serialized, or is too large.
   * @throws {TaskArgumentsError} if a schema of the task rejects the arguments.
   */
  set<N extends TaskName>(
    name: string,
    rule: ScheduleRuleOptions,
    task: N,
    ...args: NamedArgs<N>
  ): Promise<void>;
  set<A extends unknown[], R>(
    name: string,
    rule: ScheduleRuleOptions,
    task: TaskFunction<A, R>,
    ...args: TaskArgs<A>
  ): Promise<void>;
  async set(name: string, rule: ScheduleRuleOptions, task: unknown, ...args: unknown[]): Promise<void> {
    const { operations } = this.runtime.parts.schedules;
    const checked = resolveScheduleRule(rule, 'schedules.set()');
    const route = this.registry.route(task);
    const copy = this.codec.copyArgs(args);
    if (route.validate) await route.validate(this.codec.copyArgs(args));
    const call = { taskName: route.name, queue: route.queue, args: payloadToText(copy) };
    await operations.set(checkScheduleName(name, 'name'), checked, call);
  }

  /** All schedules, by name. */
  async list(): Promise<ScheduleInfo[]> {
    return this.runtime.parts.schedules.operations.list();
  }

  /** A schedule with its last 20 occurrences; `null` if there is none with this name. */
  async get(name: string): Promise<ScheduleDetails | null> {
    return this.runtime.parts.schedules.operations.get(checkScheduleName(name, 'name'));
  }

  /**
   * The next occurrences of a schedule, or of times and options that are not stored, which needs no engine. A pause and
   * the jitter do not count.
   *
   * @param count 1 to 1,000. @defaultValue `5`
   * @throws {ScheduleNotFoundError} if no schedule has this name.
   * @throws {FlowrraConfigError} if an option is invalid.
   */
  async preview(schedule: string | ScheduleRuleOptions, count = 5): Promise<Date[]> {
    const most = checkCount(count, 'count');
    const rule =
      typeof schedule === 'string'
        ? await this.runtime.parts.schedules.operations.rule(checkScheduleName(schedule, 'name'))
        : resolveScheduleRule(schedule, 'schedules.preview()');
    return occurrencesAfter(rule, this.options.clock.now(), most);
  }

  /**
   * Stops the occurrences of a schedule, in all processes, until {@link resume}. Jobs that were submitted run. The
   * reason of a schedule that is paused already stays.
   *
   * @throws {ScheduleNotFoundError} if no schedule has this name.
   */
  async pause(name: string, options: PauseScheduleOptions = {}): Promise<void> {
    const { reason, by } = PAUSE_RULES.resolve(options, 'schedules.pause()', '');
    await this.runtime.parts.schedules.operations.pause(checkScheduleName(name, 'name'), reason, by);
  }

  /**
   * Continues a paused schedule with its next occurrence: those of the time of the pause are left out.
   *
   * @throws {ScheduleNotFoundError} if no schedule has this name.
   */
  async resume(name: string): Promise<void> {
    await this.runtime.parts.schedules.operations.resume(checkScheduleName(name, 'name'));
  }

  /**
   * Submits a job of a schedule now, even if it is paused or its previous job is unfinished. It is no occurrence: the
   * next one stays as it is.
   *
   * @throws {ScheduleNotFoundError} if no schedule has this name.
   */
  async trigger(name: string): Promise<TaskId> {
    return this.runtime.parts.schedules.operations.trigger(checkScheduleName(name, 'name'));
  }

  /**
   * Removes a schedule that was set at run time, or an orphaned one. Jobs that were submitted run. `false` if there is
   * none with this name.
   *
   * @throws {FlowrraConfigError} if a worker declares the schedule: it would add it again at its next start.
   */
  async remove(name: string): Promise<boolean> {
    return this.runtime.parts.schedules.operations.remove(checkScheduleName(name, 'name'));
  }
}
