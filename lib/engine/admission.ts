import { AsyncLocalStorage } from 'node:async_hooks';
import { ExecutorNotRunningError, QueueFullError } from '../job/errors.js';
import { type BackPressure } from '../job/queue.js';
import { isPlain, type NewJob } from '../job/job.js';
import { type MaybePromise } from '../job/async.js';

/** Waiting jobs are counted at most this often, if jobs were inserted during the count. */
const MAX_COUNTS = 5;

interface Waiting {
  readonly size: number;
  admit(): void;
  reject(error: Error): void;
}

/**
 * Delays or rejects submissions while `maxPending` jobs wait. Delayed submissions are admitted in their order.
 * A submission of a running task is never delayed: the task occupies a place that the queue needs.
 */
export class Admission {
  private readonly waiting: Waiting[] = [];
  /** Places of admitted submissions that are not in the store yet. */
  private reserved = 0;
  /** The number of finished submissions. A count during which it has changed may miss some jobs. */
  private finished = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly insideTask = new AsyncLocalStorage<true>();

  /** @param hasExisting Whether a submission of this job would find an existing one now. */
  constructor(
    private readonly bound: BackPressure,
    private readonly pendingCount: () => MaybePromise<number>,
    private readonly hasExisting: (job: NewJob) => MaybePromise<boolean>,
  ) {}

  get unbounded(): boolean {
    return this.bound.maxPending === Infinity;
  }

  /** Runs a task's code, so that its submissions are recognised. */
  readonly asTask = <R>(code: () => R): R => this.insideTask.run(true, code);

  /**
   * Inserts when there is room for the jobs, or when they all exist already.
   *
   * @throws {QueueFullError} if there is no room and `whenFull` is `'reject'`, or the jobs can never fit.
   */
  async enter<R>(jobs: readonly NewJob[], insert: () => MaybePromise<R>): Promise<R> {
    const size = jobs.length;
    const { maxPending, whenFull } = this.bound;
    if (size > maxPending) {
      throw new QueueFullError(
        `${size} jobs at once can never fit: maxPending is ${maxPending}. Submit them in smaller parts.`,
      );
    }
    const wait = whenFull === 'wait';
    if (wait && this.insideTask.getStore()) return insert();
    const { room, places } = await this.inTurn(async () => {
      let pending = await this.pendingAndReserved();
      if (!this.fits(size, pending) && !jobs.some(isPlain)) {
        if (await this.allExist(jobs)) return { room: null, places: 0 };
        // A job that left during the look-up has found no waiting submission to admit.
        pending = await this.pendingAndReserved();
      }
      if (this.fits(size, pending)) {
        this.reserved += size;
        return { room: null, places: size };
      }
      if (wait) return { room: this.roomFor(size), places: size };
      throw new QueueFullError(
        `${pending} jobs are waiting and maxPending is ${maxPending}. Try again later.`,
      );
    });
    if (room !== null) await room;
    try {
      return await insert();
    } finally {
      this.reserved -= places;
      this.finished++;
      this.left();
    }
  }

  /** Call it when jobs have left the queue. */
  left(): void {
    if (this.waiting.length === 0) return;
    // After a failed count, the next job that leaves causes another one.
    void this.admitNext().catch(() => undefined);
  }

  close(): void {
    for (const { reject } of this.waiting.splice(0)) {
      reject(
        new ExecutorNotRunningError(
          'The executor stopped while this submission waited for room in the queue.',
        ),
      );
    }
  }

  private async allExist(jobs: readonly NewJob[]): Promise<boolean> {
    for (const job of jobs) if (!(await this.hasExisting(job))) return false;
    return true;
  }

  private fits(size: number, pending: number): boolean {
    return this.waiting.length === 0 && pending + size <= this.bound.maxPending;
  }

  /** Counts may be answered out of order; submissions are decided in order. */
  private inTurn<R>(decide: () => Promise<R>): Promise<R> {
    const decided = this.turn.then(decide);
    this.turn = decided.catch(() => undefined);
    return decided;
  }

  private async pendingAndReserved(): Promise<number> {
    for (let tries = 1; ; tries++) {
      const { finished } = this;
      const pending = await this.pendingCount();
      if (finished === this.finished || tries === MAX_COUNTS) return pending + this.reserved;
    }
  }

  private async admitNext(): Promise<void> {
    const { finished } = this;
    const pending = await this.pendingCount();
    // The count may miss a submission that ended meanwhile, which causes another count itself.
    if (finished === this.finished) this.admit(pending);
  }

  private roomFor(size: number): Promise<void> {
    return new Promise((admit, reject) => this.waiting.push({ size, admit, reject }));
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
