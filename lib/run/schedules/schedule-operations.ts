import type { Clock } from '../../job/clock.js';
import { FlowrraConfigError, ScheduleNotFoundError } from '../../job/errors.js';
import type { TaskStatus } from '../../job/job.js';
import {
  continued,
  nextOccurrence,
  recorded,
  type Schedule,
  type ScheduledCall,
} from '../../job/schedule/schedule.js';
import type { ScheduleRule } from '../../job/schedule/schedule-options.js';
import {
  historyEntryOf,
  type ScheduleDetails,
  type ScheduleInfo,
  scheduleInfoOf,
} from '../../job/schedule/schedule-view.js';
import { showValue } from '../../job/show-value.js';
import { isOrphan, newSchedule, sameRule } from './declarations.js';
import type { Occurrences } from './occurrences.js';
import type { ScheduleRecords } from './schedule-records.js';

export interface ScheduleOperationParts {
  readonly records: ScheduleRecords;
  readonly occurrences: Occurrences;
  readonly clock: Clock;
  /** The status of a job; `null` for one that is not kept. */
  statusOf(taskId: string): Promise<TaskStatus | null>;
  /** Called after a change, so that the scheduler of this process takes it into account. */
  changed(): void;
}

/** A schedule that no worker handles, and for how many milliseconds. */
export interface OverdueSchedule {
  readonly name: string;
  readonly lateness: number;
}

/** Operations on schedules, of any process that shares the engine. */
export class ScheduleOperations {
  constructor(private readonly parts: ScheduleOperationParts) {}

  /** The same rule, task and arguments again change nothing. */
  async set(name: string, rule: ScheduleRule, call: ScheduledCall): Promise<void> {
    await this.parts.records.change(name, (found) => {
      const now = this.parts.clock.now();
      if (found === null) return newSchedule({ name, rule, declared: null, ...call }, now);
      rejectDeclared(found, now, 'Change its decorator, or override it with forRoot({ schedules }).');
      const same = sameRule(found.rule, rule) && found.declared === null;
      if (same && found.taskName === call.taskName && found.queue === call.queue && found.args === call.args)
        return null;
      const nextRun = same ? found.nextRun : nextOccurrence(rule, now);
      return { ...found, ...call, rule, declared: null, orphaned: false, nextRun };
    });
    this.parts.changed();
  }

  async list(): Promise<ScheduleInfo[]> {
    const now = this.parts.clock.now();
    const infos: ScheduleInfo[] = [];
    for await (const { schedule } of this.parts.records.all())
      infos.push(scheduleInfoOf(schedule, isOrphan(schedule, now)));
    return infos;
  }

  /**
   * Schedules that should have been handled more than `ms` ago, latest first, at most `limit`: in one read. An orphan
   * counts until a worker has found it, since without a worker every declared schedule looks like one.
   */
  async overdue(ms: number, limit: number): Promise<OverdueSchedule[]> {
    const now = this.parts.clock.now();
    const earliest = await this.parts.records.earliest(limit);
    return earliest
      .map(({ schedule: { name }, due }) => ({ name, lateness: now - due }))
      .filter(({ lateness }) => lateness > ms)
      .slice(0, limit);
  }

  async get(name: string): Promise<ScheduleDetails | null> {
    const found = await this.parts.records.get(name);
    if (found === null) return null;
    const { schedule } = found;
    const history = await Promise.all(
      schedule.history.map(async (past) =>
        historyEntryOf(past, past.taskId === null ? null : await this.parts.statusOf(past.taskId)),
      ),
    );
    return { ...scheduleInfoOf(schedule, isOrphan(schedule, this.parts.clock.now())), history };
  }

  /** @throws {ScheduleNotFoundError} if there is no such schedule. */
  async rule(name: string): Promise<ScheduleRule> {
    const found = await this.parts.records.get(name);
    return known(name, found?.schedule ?? null).rule;
  }

  /** @throws {ScheduleNotFoundError} if there is no such schedule. */
  async pause(name: string, reason: string | null, by: string | null): Promise<void> {
    await this.parts.records.change(name, (found) => {
      const schedule = known(name, found);
      return schedule.paused === null
        ? { ...schedule, paused: { at: this.parts.clock.now(), reason, by } }
        : null;
    });
    this.parts.changed();
  }

  /** @throws {ScheduleNotFoundError} if there is no such schedule. */
  async resume(name: string): Promise<void> {
    await this.parts.records.change(name, (found) => {
      const schedule = known(name, found);
      if (schedule.paused === null) return null;
      const { orphaned } = schedule;
      return { ...continued(schedule, this.parts.clock.now()), orphaned };
    });
    this.parts.changed();
  }

  /** @throws {ScheduleNotFoundError} if there is no such schedule. */
  async trigger(name: string): Promise<string> {
    const { records, occurrences } = this.parts;
    const schedule = known(name, (await records.get(name))?.schedule ?? null);
    const past = await occurrences.trigger(schedule);
    await records.change(name, (found) => found && recorded(found, past));
    return past.taskId as string;
  }

  async remove(name: string): Promise<boolean> {
    const found = await this.parts.records.get(name);
    // One whose text cannot be read is removed too.
    if (found === null) return this.parts.records.remove(name);
    const advice = 'Pause it, or turn it off with forRoot({ schedules: { name: false } }).';
    rejectDeclared(found.schedule, this.parts.clock.now(), advice);
    return this.parts.records.remove(name);
  }
}

function known(name: string, schedule: Schedule | null): Schedule {
  if (schedule !== null) return schedule;
  throw new ScheduleNotFoundError(
    `No schedule ${showValue(name)} is known. A declared one is stored when its first worker starts.`,
  );
}

/** A declared schedule is stored again at each start of a worker. */
function rejectDeclared(schedule: Schedule, now: number, advice: string): void {
  if (schedule.declared === null || isOrphan(schedule, now)) return;
  throw new FlowrraConfigError(`The schedule '${schedule.name}' is declared by a decorator. ${advice}`);
}
