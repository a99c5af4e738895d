import type { JobControl } from '../../engine/control.js';
import type { Clock } from '../../job/clock.js';
import { isFinal } from '../../job/job.js';
import { payloadFromText } from '../../job/payload/payload-text.js';
import {
  type Occurrence,
  occurrenceId,
  type PastOccurrence,
  recorded,
  type Schedule,
} from '../../job/schedule/schedule.js';
import { nextStep } from '../../job/schedule/schedule-step.js';
import { NO_SUBMIT_OPTIONS } from '../../job/submit-options.js';
import type { Submitter } from '../submitter.js';
import type { TaskRegistry, TaskRoute } from '../task-registry.js';

export interface OccurrenceParts {
  readonly registry: TaskRegistry;
  readonly submitter: Submitter;
  readonly control: Pick<JobControl, 'job'>;
  readonly clock: Clock;
  /** The name of this worker. */
  readonly worker: string;
}

/** The effect of one step: the schedule to be stored, and the occurrences that it has skipped. */
export interface Decision {
  readonly schedule: Schedule;
  readonly skipped: readonly PastOccurrence[];
}

/**
 * Decides about due occurrences and submits their jobs. A decision is stored *before* a job is submitted, under the
 * version of the schedule that was read: so that of two workers that see the previous job in different states, only
 * one decides. After a crash in between, another worker submits the job under the same id, which adds no second job.
 */
export class Occurrences {
  constructor(private readonly parts: OccurrenceParts) {}

  /** Takes one step. The caller writes the schedule if its version is still the same, and repeats while it is due. */
  async decide(schedule: Schedule): Promise<Decision> {
    const { rule, waiting, lastTaskId } = schedule;
    const isBusy = rule.overlap !== 'allow' && lastTaskId !== null && (await this.isUnfinished(lastTaskId));
    const ours = { ...schedule, lastWorker: this.parts.worker };
    if (waiting !== null && !isBusy)
      return { schedule: { ...ours, waiting: null, submitting: [waiting] }, skipped: [] };
    const step = nextStep(schedule, this.parts.clock.now());
    if (step === null) return { schedule, skipped: [] };
    const after = { ...ours, nextRun: step.nextRun };
    switch (step.kind) {
      case 'makeUp':
        return { schedule: { ...after, submitting: step.occurrences }, skipped: [] };
      case 'skip':
        return this.skip(after, step.missed, 'missed');
      case 'run':
        if (!isBusy) return { schedule: { ...after, submitting: [step.occurrence] }, skipped: [] };
        if (rule.overlap === 'queue' && waiting === null)
          return { schedule: { ...after, waiting: step.occurrence }, skipped: [] };
        return this.skip(after, step.occurrence, 'overlap');
    }
  }

  /** Submits the jobs that a stored decision is about. Repeated, it adds none. */
  async submit(schedule: Schedule): Promise<readonly PastOccurrence[]> {
    const past: PastOccurrence[] = [];
    for (const occurrence of schedule.submitting) {
      const taskId = await this.send(schedule, occurrence, occurrenceId(schedule.name, occurrence.at));
      past.push({ ...occurrence, handledAt: this.parts.clock.now(), kind: 'submitted', taskId });
    }
    return past;
  }

  /** Submits a job by hand. It is no occurrence. */
  async trigger(schedule: Schedule): Promise<PastOccurrence> {
    const at = this.parts.clock.now();
    const taskId = await this.send(schedule, { at, missed: 0 }, undefined);
    return { at, missed: 0, handledAt: at, kind: 'triggered', taskId };
  }

  private skip(schedule: Schedule, occurrence: Occurrence, kind: 'missed' | 'overlap'): Decision {
    const past = { ...occurrence, handledAt: this.parts.clock.now(), kind, taskId: null };
    return { schedule: recorded(schedule, past), skipped: [past] };
  }

  /** @param taskId `undefined` for a triggered job. */
  private async send(
    schedule: Schedule,
    { at, missed }: Occurrence,
    taskId: string | undefined,
  ): Promise<string> {
    const { name, args } = schedule;
    return this.parts.submitter.submit(this.routeOf(schedule), payloadFromText(args) as unknown[], {
      ...NO_SUBMIT_OPTIONS,
      taskId,
      schedule: { name, at, missed, manual: taskId === undefined },
      bypassMaxPending: true,
    });
  }

  /** The arguments were checked when the schedule was set. The task may run in another application. */
  private routeOf({ taskName, queue }: Schedule): TaskRoute {
    const definition = this.parts.registry.definition(taskName);
    return definition === undefined
      ? { name: taskName, queue }
      : { name: taskName, queue, policy: definition.policy };
  }

  private async isUnfinished(taskId: string): Promise<boolean> {
    const row = await this.parts.control.job(taskId);
    return row !== null && !isFinal(row.status);
  }
}
