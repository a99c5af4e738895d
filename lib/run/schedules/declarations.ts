import { Logger } from '@nestjs/common';
import type { Clock } from '../../job/clock.js';
import { continued, nextOccurrence, type Schedule, type ScheduledCall } from '../../job/schedule/schedule.js';
import type { ScheduleRule } from '../../job/schedule/schedule-options.js';
import type { ScheduleRecord, ScheduleRecords } from './schedule-records.js';

/** A schedule of a decorator, with the options of `forRoot({ schedules })`. */
export interface DeclaredSchedule extends ScheduledCall {
  readonly name: string;
  /** `null` for one that is turned off here. */
  readonly rule: ScheduleRule | null;
}

const NOT_STORED = { version: 0, schedule: null };

/** How often a worker marks its declared schedules as seen. */
const SEEN_MS = 60_000;
/** A declared schedule that no worker has seen for this long is an orphan. */
export const ORPHANED_AFTER_MS = 180_000;
/** When the only process of its engine was last seen: it declares its schedules as long as it runs. */
const ALWAYS = Number.MAX_SAFE_INTEGER;
/** An occurrence that was handled this much in the future means that a clock was wrong. */
const CLOCK_ERROR_MS = 60_000;

/**
 * Keeps the declared schedules of this worker in the store. The declaration of the process that started last counts, so
 * that an older process does not undo a deployment.
 */
export class Declarations {
  private readonly logger = new Logger('Flowrra');
  private readonly names: readonly string[];
  private readonly byName: ReadonlyMap<string, DeclaredSchedule>;
  private readonly startedAt: number;
  private seenAt: number;
  private lastNow: number;
  /** Whether the stored schedules were looked through once: a clock may have been wrong before the start. */
  private isRepaired = false;

  constructor(
    private readonly records: ScheduleRecords,
    declared: readonly DeclaredSchedule[],
    private readonly clock: Clock,
    /** Whether other processes can declare schedules. */
    private readonly isShared: boolean,
  ) {
    this.byName = new Map(declared.map((each) => [each.name, each]));
    this.names = [...this.byName.keys()];
    this.startedAt = this.seenAt = this.lastNow = clock.now();
  }

  /** Stores the declarations, unless a process that started later has stored others. */
  async declare(): Promise<void> {
    await this.writeAll((found, declared) => this.declared(found, declared));
  }

  /** Marks the declared schedules as seen from time to time, and repairs schedules if the clock was set back. */
  async keepUp(): Promise<void> {
    const now = this.clock.now();
    const setBack = now < this.lastNow - CLOCK_ERROR_MS;
    this.lastNow = now;
    if (setBack || !this.isRepaired) await this.repair();
    this.isRepaired = true;
    if (!this.isShared || this.names.length === 0 || (now - this.seenAt < SEEN_MS && !setBack)) return;
    this.seenAt = now;
    await this.writeAll((found, declared) => this.seen(found, declared));
  }

  /** Whether this worker may handle a schedule: one that was set at run time, or one that it declares. */
  mayHandle({ name, declared }: Schedule): boolean {
    return declared === null || (this.byName.get(name)?.rule ?? null) !== null;
  }

  /** Makes a schedule an orphan that no worker declares any more. Returns whether it is one. */
  async orphan(version: number, schedule: Schedule): Promise<boolean> {
    if (!isOrphan(schedule, this.clock.now())) return false;
    const { name, taskName } = schedule;
    if (await this.records.write(version, { ...schedule, orphaned: true }))
      this.logger.warn(
        `The schedule '${name}' of '${taskName}' has no occurrences any more: no worker has declared it for ${ORPHANED_AFTER_MS / 60_000} minutes. Remove it by schedules.remove('${name}'), or start a worker that declares it.`,
      );
    return true;
  }

  private async writeAll(
    change: (found: Schedule | null, declared: DeclaredSchedule) => Schedule | null,
  ): Promise<void> {
    for (let names = this.names; names.length > 0;) {
      const changed: ScheduleRecord[] = [];
      const found = await this.records.named(names);
      for (const name of names) {
        const { version, schedule } = found.get(name) ?? NOT_STORED;
        const next = change(schedule, this.byName.get(name) as DeclaredSchedule);
        if (next !== null) changed.push({ version, schedule: next });
      }
      names = await this.records.writeAll(changed);
    }
  }

  /** The schedule as this process declares it; `null` if the stored one stays. */
  private declared(found: Schedule | null, { rule, ...call }: DeclaredSchedule): Schedule | null {
    const now = this.clock.now();
    const declared = { at: this.startedAt, seenAt: this.isShared ? now : ALWAYS };
    if (found === null) return rule === null ? null : newSchedule({ ...call, rule, declared }, now);
    if (found.declared !== null && found.declared.at > this.startedAt) return null;
    if (rule === null) return found.declared === null ? null : { ...found, declared, orphaned: true };
    const known = { ...found, ...call, declared };
    if (found.orphaned) return continued({ ...known, rule }, now);
    return sameRule(found.rule, rule) ? known : { ...known, rule, nextRun: nextOccurrence(rule, now) };
  }

  private seen(found: Schedule | null, { rule }: DeclaredSchedule): Schedule | null {
    const now = this.clock.now();
    if (found === null || found.declared === null || rule === null) return null;
    if (found.orphaned) return continued({ ...found, declared: { ...found.declared, seenAt: now } }, now);
    if (now - found.declared.seenAt < SEEN_MS / 2) return null;
    return { ...found, declared: { ...found.declared, seenAt: now } };
  }

  /** A clock that was wrong has put next occurrences too far into the future. */
  private async repair(): Promise<void> {
    for await (const { version, schedule } of this.records.all()) {
      const now = this.clock.now();
      const latest = schedule.history.find(({ kind }) => kind !== 'triggered');
      if (latest === undefined || latest.handledAt <= now + CLOCK_ERROR_MS) continue;
      await this.records.write(version, { ...schedule, nextRun: nextOccurrence(schedule.rule, now) });
    }
  }
}

/** Whether no worker declares a schedule of a decorator any more. */
export function isOrphan({ declared, orphaned }: Schedule, now: number): boolean {
  return orphaned || (declared !== null && now - declared.seenAt > ORPHANED_AFTER_MS);
}

/** A schedule without a past. */
export function newSchedule(
  given: ScheduledCall & Pick<Schedule, 'name' | 'rule' | 'declared'>,
  now: number,
): Schedule {
  return {
    ...given,
    orphaned: false,
    nextRun: nextOccurrence(given.rule, now),
    submitting: [],
    waiting: null,
    paused: null,
    lastTaskId: null,
    lastWorker: null,
    counts: { submitted: 0, missed: 0, overlapped: 0 },
    history: [],
  };
}

export function sameRule(a: ScheduleRule, b: ScheduleRule): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
