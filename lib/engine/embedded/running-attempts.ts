import { Logger } from '@nestjs/common';
import { TaskLostError } from '../../job/errors.js';
import { AttemptAbort } from '../../run/attempt-abort.js';
import type { Attempt } from '../../job/job.js';
import type { EngineHost } from '../engine.js';
import type { Lane } from './queue-runner.js';
import { shownText } from '../../job/show-value.js';

/** One attempt while it runs. */
export class Run extends AttemptAbort {
  /** Whatever it still answers comes too late. */
  over = false;

  constructor(
    readonly attempt: Attempt,
    readonly lane: Lane,
  ) {
    super();
  }
}

/** The attempts that run in this process, and how they hear that they should end. */
export class RunningAttempts {
  private readonly logger = new Logger('Flowrra');
  private readonly runs = new Set<Run>();

  get size(): number {
    return this.runs.size;
  }

  begin(attempt: Attempt, lane: Lane): Run {
    const run = new Run(attempt, lane);
    this.runs.add(run);
    return run;
  }

  /** Says `false` of one that is over already. */
  end(run: Run): boolean {
    if (run.over) return false;
    run.over = true;
    run.ended();
    this.runs.delete(run);
    return true;
  }

  /** Ends all that are left, and returns them. */
  endAll(): Run[] {
    const left = [...this.runs];
    for (const run of left) this.end(run);
    return left;
  }

  abort(reason: unknown): void {
    for (const run of this.runs) run.abort(reason);
  }

  /** The attempt's job is another process's by now. */
  lose(attempt: Attempt): void {
    const reason = new TaskLostError(
      'The job has been taken over by another process: its lease ended before it was renewed, so what this attempt answers no longer counts.',
    );
    this.logger.warn(
      `${shownText(attempt.taskName)} ${shownText(attempt.taskId)}: ${reason.message} Has the event loop, or the process, stood still for longer than a lease?`,
    );
    this.of(attempt)?.abort(reason);
  }

  /**
   * The attempt's job has been cancelled.
   *
   * @param overdue Called with the run if it has not ended within its `killGrace`.
   */
  cancel(
    attempt: Attempt,
    reason: string,
    host: Pick<EngineHost, 'clock' | 'killGrace'>,
    overdue: (run: Run) => void,
  ): void {
    const run = this.of(attempt);
    run?.cancel(reason, host.killGrace(attempt), host.clock, () => overdue(run));
  }

  private of(attempt: Attempt): Run | undefined {
    for (const run of this.runs) if (run.attempt === attempt) return run;
    return undefined;
  }
}
