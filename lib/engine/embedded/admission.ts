import { AsyncLocalStorage } from 'node:async_hooks';
import { ExecutorNotRunningError, QueueFullError } from '../../core/errors.js';
import type { BackPressure, MaybePromise } from '../engine.interface.js';
import { whenDone } from '../maybe-promise.js';

interface Waiting {
  readonly size: number;
  admit(): void;
  refuse(error: Error): void;
}

/**
 * Holds submissions back while `maxPending` jobs wait, first come, first served. What a running
 * task submits is never made to wait: it holds a place that the queue needs to empty.
 */
export class Admission {
  private readonly waiting: Waiting[] = [];
  /** Places promised to submissions that are on their way into the store. */
  private reserved = 0;
  private readonly insideTask = new AsyncLocalStorage<true>();

  constructor(
    private readonly bound: BackPressure,
    private readonly pendingCount: () => MaybePromise<number>,
  ) {}

  get unbounded(): boolean {
    return this.bound.maxPending === Infinity;
  }

  /** Runs a task's code so that its own submissions are recognised. */
  asTask<R>(run: () => R): R {
    return this.insideTask.run(true, run);
  }

  /**
   * Lets a submission of `size` jobs in when there is room for it.
   *
   * @throws {QueueFullError} if there is none, or never can be, or `whenFull` is `'reject'`.
   */
  async enter<R>(size: number, insert: () => MaybePromise<R>): Promise<R> {
    const { maxPending, whenFull } = this.bound;
    if (size > maxPending) {
      throw new QueueFullError(
        `${size} jobs at once can never fit: maxPending is ${maxPending}. Submit them in smaller parts.`,
      );
    }
    const wait = whenFull === 'wait';
    if (wait && this.insideTask.getStore()) return insert();
    const pending = (await this.pendingCount()) + this.reserved;
    if (this.waiting.length > 0 || pending + size > maxPending) {
      if (!wait)
        throw new QueueFullError(
          `${pending} jobs are waiting and maxPending is ${maxPending}. Try again later.`,
        );
      await new Promise<void>((admit, refuse) => this.waiting.push({ size, admit, refuse }));
    } else {
      this.reserved += size;
    }
    try {
      return await insert();
    } finally {
      this.reserved -= size;
      this.left();
    }
  }

  /** To be called when jobs have left the queue. */
  left(): void {
    if (this.waiting.length > 0) void whenDone(this.pendingCount(), (pending) => this.admit(pending));
  }

  close(): void {
    for (const { refuse } of this.waiting.splice(0)) {
      refuse(
        new ExecutorNotRunningError(
          'The executor stopped while this submission waited for room in the queue.',
        ),
      );
    }
  }

  private admit(pending: number): void {
    let room = this.bound.maxPending - pending - this.reserved;
    for (let next = this.waiting[0]; next && next.size <= room; next = this.waiting[0]) {
      this.waiting.shift();
      room -= next.size;
      this.reserved += next.size;
      next.admit();
    }
  }
}
