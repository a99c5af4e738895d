import { AsyncLocalStorage } from 'node:async_hooks';
import { ExecutorNotRunningError, QueueFullError } from '../job/errors.js';
import { type BackPressure } from '../job/queue.js';
import { isPlain, type NewJob } from '../job/job.js';
import { type MaybePromise } from '../job/async.js';

/** How often waiting jobs are counted again because some have gone in meanwhile. */
const MAX_COUNTS = 5;

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
  /** Submissions that have gone in: they may or may not be in a count that was under way. */
  private inserted = 0;
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

  /** Runs a task's code so that its own submissions are recognised. */
  readonly asTask = <R>(code: () => R): R => this.insideTask.run(true, code);

  /**
   * Lets a submission in when there is room for its jobs, or when it adds none.
   *
   * @throws {QueueFullError} if there is none, or never can be, or `whenFull` is `'reject'`.
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
        // Whoever has left since then has seen nobody wait.
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
      this.inserted++;
      this.left();
    }
  }

  /** To be called when jobs have left the queue. */
  left(): void {
    if (this.waiting.length === 0) return;
    // A count that fails is asked for again when the next job leaves.
    void this.admitNext().catch(() => undefined);
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

  private async allExist(jobs: readonly NewJob[]): Promise<boolean> {
    for (const job of jobs) if (!(await this.hasExisting(job))) return false;
    return true;
  }

  private fits(size: number, pending: number): boolean {
    return this.waiting.length === 0 && pending + size <= this.bound.maxPending;
  }

  /** Answers to a count may overtake each other; submissions do not. */
  private inTurn<R>(decide: () => Promise<R>): Promise<R> {
    const decided = this.turn.then(decide);
    this.turn = decided.catch(() => undefined);
    return decided;
  }

  private async pendingAndReserved(): Promise<number> {
    for (let tries = 1; ; tries++) {
      const { inserted } = this;
      const pending = await this.pendingCount();
      if (inserted === this.inserted || tries === MAX_COUNTS) return pending + this.reserved;
    }
  }

  private async admitNext(): Promise<void> {
    const { inserted } = this;
    const pending = await this.pendingCount();
    // What has gone in meanwhile may be missing in the count; it asks for another one itself.
    if (inserted === this.inserted) this.admit(pending);
  }

  private roomFor(size: number): Promise<void> {
    return new Promise((admit, refuse) => this.waiting.push({ size, admit, refuse }));
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
