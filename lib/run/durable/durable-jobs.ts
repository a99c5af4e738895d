import { randomUUID } from 'node:crypto';
import type { JobControl } from '../../engine/control.js';
import type { JournalStore, PostAnswer } from '../../engine/journal-store.js';
import { wrong } from '../../job/check.js';
import type { Clock } from '../../job/clock.js';
import { JobFinishedError, JournalFullError } from '../../job/durable-errors.js';
import { ResultNotFoundError } from '../../job/errors.js';
import type { JournalEntry } from '../../job/journal/journal.js';
import { entryOf, keyOf, recordOf, SERIES_KEY } from '../../job/journal/journal-record.js';
import { journalSteps, type JobStep } from '../../job/journal/journal-view.js';
import type { PayloadCodec } from '../../job/payload/payload-codec.js';
import { payloadToJson } from '../../job/payload/payload-text.js';
import { showValue } from '../../job/show-value.js';
import type { RunObserver } from '../run-observer.js';

export interface DurableJobsParts {
  readonly journals: JournalStore;
  readonly control: JobControl;
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  readonly observer: RunObserver;
  /** Waits until the engine has a job that waits in an outbox. Returns the id to use. */
  readonly untilRelayed?: ((taskId: string) => Promise<string>) | undefined;
}

/** Signals to durable jobs, and a look at their journals, from any process. */
export class DurableJobs {
  constructor(private readonly parts: DurableJobsParts) {}

  /**
   * @param id The same id again adds no second signal.
   * @throws {ResultNotFoundError} for an unknown job. @throws {JobFinishedError} for one that has ended.
   */
  async signal(taskId: string, name: string, value: unknown, id: string = randomUUID()): Promise<void> {
    const { journals, codec, clock, control, observer } = this.parts;
    const stored = payloadToJson(codec.copySignal(value));
    const entry = entryOf({ kind: 'signal', name, at: clock.now(), value: stored }, id);
    const answer = await journals.post(taskId, entry);
    switch (answer === 'unknown' ? await this.postLater(taskId, entry) : answer) {
      case 'posted': {
        if (!observer.isObserved) return;
        const row = await control.job(taskId);
        return row === null ? undefined : observer.signalled(row, name);
      }
      case 'known':
        return;
      case 'full':
        throw new JournalFullError(
          `signal(): the job ${showValue(taskId)} accepts no more signals: 25,000 have been posted to it.`,
        );
      case 'finished':
        throw new JobFinishedError(`signal(): the job ${showValue(taskId)} has ended.`);
      case 'unknown':
        throw new ResultNotFoundError(`signal(): no job ${showValue(taskId)} is known.`);
    }
  }

  /** Posts to a job that waits in an outbox. */
  private async postLater(taskId: string, entry: JournalEntry): Promise<PostAnswer> {
    const { journals, untilRelayed } = this.parts;
    return untilRelayed === undefined ? 'unknown' : journals.post(await untilRelayed(taskId), entry);
  }

  async stepsOf(taskId: string): Promise<readonly JobStep[]> {
    const { entries } = await this.parts.journals.read(taskId);
    return entries.length === 0 ? [] : journalSteps(entries);
  }

  /**
   * Forgets a step of a failed job and everything that began after it.
   *
   * @throws {FlowrraConfigError} if the journal has no such step.
   */
  async forgetFrom(taskId: string, step: string): Promise<void> {
    const { journals } = this.parts;
    const { entries } = await journals.read(taskId);
    const start = entries.findIndex((entry) => nameOf(entry) === step);
    if (start < 0) {
      const names = entries.map(nameOf).filter((name) => name !== null);
      throw wrong(
        'retry() fromStep',
        step,
        `The job has no such step. Its steps: ${names.join(', ') || 'none'}.`,
      );
    }
    const keys = entries.slice(start).filter((entry) => !staysAtRetry(entry));
    // The end of a child job goes with its call, wherever it stands.
    const children = keys.map((entry) => childOf(entry)).filter((key) => key !== null);
    const mark = entryOf({ kind: 'series', number: seriesOf(entries) + 1 });
    await journals.forget(taskId, [...keys.map(({ key }) => key), ...children], mark);
  }
}

/** The name of a step, a wait or a child job; `null` for another entry. */
function nameOf(entry: JournalEntry): string | null {
  const record = recordOf(entry);
  return record === null || !('name' in record) || record.kind === 'signal' ? null : record.name;
}

function staysAtRetry(entry: JournalEntry): boolean {
  const kind = recordOf(entry)?.kind;
  return kind === 'signal' || kind === 'child' || kind === 'cancel' || kind === 'series';
}

function seriesOf(entries: readonly JournalEntry[]): number {
  const mark = entries.find(({ key }) => key === SERIES_KEY);
  const record = mark === undefined ? null : recordOf(mark);
  return record?.kind === 'series' ? record.number : 0;
}

/** The key of the end of the child job that a call has started; `null` for another entry. */
function childOf(entry: JournalEntry): string | null {
  const record = recordOf(entry);
  return record?.kind === 'call' ? keyOf('child', record.taskId) : null;
}
