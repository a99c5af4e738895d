import { MemorySchedules } from '../../../lib/engine/memory/memory-schedules.js';
import type { ScheduleStore } from '../../../lib/engine/schedule-store.js';
import type { TaskStatus } from '../../../lib/job/job.js';
import { type PastOccurrence, type Schedule } from '../../../lib/job/schedule/schedule.js';
import { resolveScheduleRule, type ScheduleRuleOptions } from '../../../lib/job/schedule/schedule-options.js';
import { Declarations, type DeclaredSchedule, newSchedule } from '../../../lib/run/schedules/declarations.js';
import { Occurrences } from '../../../lib/run/schedules/occurrences.js';
import { ScheduleRecords } from '../../../lib/run/schedules/schedule-records.js';
import { Scheduler } from '../../../lib/run/schedules/scheduler.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** A schedule as `schedules.set` stores it at a time. */
export function scheduleOf(
  name: string,
  options: ScheduleRuleOptions,
  now: number,
  values: Partial<Schedule> = {},
): Schedule {
  const rule = resolveScheduleRule(options, 'rule');
  const call = { taskName: 'task', queue: 'q', args: '[]' };
  return { ...newSchedule({ name, rule, declared: null, ...call }, now), ...values };
}

/** A store that fails, waits or is changed by others, as a test wants it. */
export class FakeStore implements ScheduleStore {
  readonly kept = new MemorySchedules();
  /** The calls, by method. */
  readonly calls: string[] = [];
  /** Called before each call; it may throw or wait. */
  before: (method: string) => void | Promise<void> = () => undefined;

  earliest = (limit: number) => this.call('earliest', () => this.kept.earliest(limit));
  get = (names: readonly string[]) => this.call('get', () => this.kept.get(names));
  page = (after: string, limit: number) => this.call('page', () => this.kept.page(after, limit));
  put = (...[writes]: Parameters<ScheduleStore['put']>) => this.call('put', () => this.kept.put(writes));
  remove = (name: string) => this.call('remove', () => this.kept.remove(name));

  private async call<T>(method: string, answer: () => T): Promise<T> {
    this.calls.push(method);
    await this.before(method);
    return answer();
  }
}

/** A job that a worker has submitted. */
export interface Sent {
  readonly name: string;
  readonly at: number;
  readonly missed: number;
  readonly taskId: string;
}

async function manyTurns(): Promise<void> {
  for (let n = 0; n < 5; n++) await settle();
}

/** What the workers of one test share. */
export class World {
  /** Some tests need many promises before time goes on. */
  readonly clock = new ManualClock({ settle: manyTurns, nextDue: async () => null });
  readonly store = new FakeStore();
  readonly records = new ScheduleRecords(this.store, this.clock);
  /** Each submission. The same id again adds no job. */
  readonly sent: Sent[] = [];
  readonly status = new Map<string, TaskStatus>();
  /** May throw, in place of a submission. */
  submitting: (sent: Sent) => void | Promise<void> = () => undefined;

  async add(...schedules: readonly Schedule[]): Promise<void> {
    for (const schedule of schedules) await this.records.write(0, schedule);
  }

  async schedule(name: string): Promise<Schedule> {
    const found = await this.records.get(name);
    if (found === null) throw new Error(`${name} is not stored.`);
    return found.schedule;
  }

  /** The submitted jobs, each once. */
  jobs(name: string): Sent[] {
    const own = this.sent.filter((sent) => sent.name === name);
    return [...new Map(own.map((sent) => [sent.taskId, sent])).values()];
  }

  worker({
    isShared = false,
    declared = [],
    clock = this.clock,
    name = 'worker',
  }: {
    isShared?: boolean;
    declared?: readonly DeclaredSchedule[];
    clock?: ManualClock;
    name?: string;
  } = {}) {
    const handled: PastOccurrence[] = [];
    const records = clock === this.clock ? this.records : new ScheduleRecords(this.store, clock);
    const occurrences = new Occurrences({
      registry: { definition: () => undefined } as never,
      submitter: { submit: this.submit } as never,
      control: { job: async (taskId) => this.jobOf(taskId) as never },
      clock,
      worker: name,
    });
    const declarations = new Declarations(records, declared, clock, true);
    const scheduler = new Scheduler({
      records,
      occurrences,
      declarations,
      clock,
      isShared,
      worker: name,
      handled: (_schedule, past) => handled.push(past),
    });
    return { scheduler, declarations, occurrences, handled, records };
  }

  private readonly submit = async (
    _route: unknown,
    _args: unknown,
    { taskId, schedule }: { taskId?: string; schedule: { name: string; at: number; missed: number } },
  ): Promise<string> => {
    const { name, at, missed } = schedule;
    const sent = { name, at, missed, taskId: taskId ?? `triggered ${this.sent.length}` };
    await this.submitting(sent);
    this.sent.push(sent);
    if (!this.status.has(sent.taskId)) this.status.set(sent.taskId, 'success');
    return sent.taskId;
  };

  private jobOf(taskId: string): { status: TaskStatus } | null {
    const status = this.status.get(taskId);
    return status === undefined ? null : { status };
  }
}

export function declaredOf(name: string, options: ScheduleRuleOptions | false): DeclaredSchedule {
  const rule = options === false ? null : resolveScheduleRule(options, 'rule');
  return { name, taskName: 'task', queue: 'q', args: '[]', rule };
}
