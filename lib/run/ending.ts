import { TaskRunTimeoutError } from '../job/errors.js';
import type { Attempt } from '../job/job.js';
import { parentOf } from '../job/metadata.js';
import type { Outcome } from '../job/outcome.js';
import type { AttemptReports } from './attempt-reports.js';
import type { DeadLetters } from './dead-letters.js';
import type { ParentNotices } from './durable/parent-notices.js';
import { LazyAbort } from './lazy-abort.js';
import type { ResultRecorder } from './result-recorder.js';

export interface EndingParts {
  readonly deadLetters: Pick<DeadLetters, 'send'>;
  /** `null` if the engine keeps no journals. */
  readonly parents: Pick<ParentNotices, 'tell'> | null;
  /** Writes a configured result backend; `null` if results stay in the engine. */
  readonly recorder: ResultRecorder | null;
}

/** The messages that are sent before an outcome is stored, so that a crash loses none of them. */
export interface EndMessages {
  /** The task that gets the dead letter. */
  readonly deadLetter: string | null;
  /** The job that has called this one. */
  readonly parent: string | null;
}

/** `null` for an outcome without messages. */
export function messagesOf(
  outcome: Outcome,
  { metadata }: Attempt,
  handler: string | null,
): EndMessages | null {
  const deadLetter = outcome.kind === 'failed' ? handler : null;
  const parent = metadata === undefined || !isEnd(outcome) ? null : (parentOf(metadata) ?? null);
  return deadLetter === null && parent === null ? null : { deadLetter, parent };
}

function isEnd({ kind }: Outcome): boolean {
  return kind === 'success' || kind === 'failed' || kind === 'cancelled';
}

export const RELEASED: Outcome = { kind: 'released', delay: 0 };

/** The part of a run that its ending uses. */
export interface EndingRun {
  readonly attempt: Attempt;
  /** `null` without a report. */
  readonly reports: AttemptReports | null;
  /** The outcome of an attempt whose job was cancelled, if its code does nothing more; `null` if it was not. */
  cancelledWithoutCode(): Outcome | null;
  /** The engine may store the outcome. */
  end(outcome: Outcome): void;
}

/** The last part of an attempt whose outcome is known: reports, messages and the backend's result are stored first. */
export class Ending {
  /** Ends the attempts to send a message; a time-out does not. */
  private readonly sending = new LazyAbort();
  private outcome: Outcome | null = null;

  constructor(
    private readonly run: EndingRun,
    private readonly parts: EndingParts,
    private readonly handler: string | null,
  ) {}

  /** Begins, or begins again with another outcome, which counts then. */
  async begin(outcome: Outcome): Promise<void> {
    this.outcome = outcome;
    const { run, parts } = this;
    await run.reports?.end();
    if (this.outcome !== outcome) return;
    const messages = messagesOf(outcome, run.attempt, this.handler);
    if (messages !== null && !(await this.send(messages, outcome))) {
      if (this.outcome !== outcome) return;
      // The job ends again in another process, or after the next start, and its messages are sent then.
      const cancelled = run.cancelledWithoutCode();
      return cancelled === null ? run.end(RELEASED) : this.begin(cancelled);
    }
    if (this.outcome !== outcome) return;
    await parts.recorder?.ended(run.attempt, outcome);
    if (this.outcome === outcome) run.end(outcome);
  }

  abort(reason: unknown): void {
    if (!(reason instanceof TaskRunTimeoutError)) this.sending.abort(reason);
  }

  /** Resolves with `false` if the ending is aborted before all messages are sent. */
  private async send({ deadLetter, parent }: EndMessages, outcome: Outcome): Promise<boolean> {
    const { attempt } = this.run;
    const { deadLetters, parents } = this.parts;
    if (deadLetter !== null && outcome.kind === 'failed')
      if (!(await deadLetters.send(deadLetter, attempt, outcome.error, this.sending))) return false;
    if (parent === null || parents === null) return true;
    const isTold = await parents.tell(parent, attempt, outcome, this.sending);
    // The parent of a cancelled job finds out by itself, later.
    return isTold || outcome.kind === 'cancelled';
  }
}
