import { AsyncLocalStorage } from 'node:async_hooks';
import type { Subscriber } from 'rxjs';
import { EngineError } from '../job/errors.js';
import { isFinal, type JobRow, type JobState, type LogLine, MAX_LOG_LINES } from '../job/job.js';
import { jobStateOf } from '../job/task-result.js';
import { linesAfter, type TaskUpdate, taskUpdateOf, updateText } from '../job/task-update.js';
import type { JobControl } from '../engine/control.js';
import type { ResultBackend } from '../results/result-backend.js';

export interface WatchHost {
  readonly control: Pick<JobControl, 'job'> | undefined;
  readonly results: ResultBackend;
  /** Called once: the engine has the job, which is not finished, so other processes may change it. */
  found(watch: JobWatch, job: Pick<JobRow, 'taskId' | 'queue'>): void;
  /** Called once: the watch has no subscriber any more. */
  ended(watch: JobWatch): void;
}

type InContext = <R>(fn: () => R) => R;

/** A job as one look has found it. */
interface Look {
  readonly state: JobState;
  readonly logs: readonly LogLine[];
  /** `null` if only the configured backend has the job. */
  readonly queue: string | null;
}

/**
 * The subscribers of one job. They share the looks at the engine, and an update is always a state that the engine
 * has stored. However many changes come during a look, one further look follows it.
 */
export class JobWatch {
  /** Each subscriber is called in its own `AsyncLocalStorage` contexts. */
  private readonly subscribers = new Map<Subscriber<TaskUpdate>, InContext>();
  private readonly ending = new AbortController();
  /** The last lines of the log that were seen. */
  private logs: readonly LogLine[] = [];
  /** The last update without its log lines; `null` before the first one. */
  private text: string | null = null;
  private looking: Promise<void> | null = null;
  private again = false;
  private isFound = false;
  private isAwaited = false;

  constructor(
    readonly taskId: string,
    private readonly host: WatchHost,
  ) {}

  /** The subscriber gets the present state at once if it is known. Returns a function that removes the subscriber. */
  add(subscriber: Subscriber<TaskUpdate>): () => void {
    this.subscribers.set(subscriber, AsyncLocalStorage.snapshot());
    if (this.text !== null) subscriber.next(taskUpdateOf(this.text, this.logs));
    return () => {
      if (this.subscribers.delete(subscriber) && this.subscribers.size === 0) this.end(() => undefined);
    };
  }

  /** Reads the job. Its subscribers get an update if the job has changed. Never rejects. */
  look(): Promise<void> {
    if (this.looking !== null) this.again = true;
    return (this.looking ??= this.lookUntilSame().finally(() => (this.looking = null)));
  }

  /** Ends the watch with an error. */
  fail(error: unknown): void {
    this.end((subscriber) => subscriber.error(error));
  }

  private get isOver(): boolean {
    return this.ending.signal.aborted;
  }

  private async lookUntilSame(): Promise<void> {
    do {
      this.again = false;
      try {
        const look = await this.read();
        if (!this.isOver) this.show(look);
      } catch (error) {
        // The next look follows within a second, until an outage that has begun after the first look is over.
        if (this.text === null || !(error instanceof EngineError)) this.fail(error);
      }
    } while (this.again && !this.isOver);
  }

  private async read(): Promise<Look> {
    const { taskId, ending } = this;
    const { control, results } = this.host;
    const row = await control?.job(taskId);
    if (row) {
      // Rejects with the error of an unreadable result.
      if (row.unreadable?.includes('result')) await results.get(taskId);
      return { state: row, logs: row.logs ?? [], queue: row.queue };
    }
    // A configured backend may keep results longer than the engine does.
    const known = await results.get(taskId);
    // For an unknown id and a dropped result, the wait rejects at once with the right error.
    const result = known ?? (await results.waitFor(taskId, { signal: ending.signal }));
    return { state: jobStateOf(result), logs: [], queue: null };
  }

  private show({ state, logs, queue }: Look): void {
    const text = updateText(state);
    const lines = linesAfter(this.logs, logs);
    const isNew = text !== this.text || lines.length > 0;
    this.text = text;
    this.logs = lines === logs ? logs : [...this.logs, ...lines].slice(-MAX_LOG_LINES);
    // One that a subscriber adds meanwhile gets this update at once, and not twice.
    const present = [...this.subscribers];
    if (isNew)
      for (const [subscriber, inContext] of present)
        inContext(() => subscriber.next(taskUpdateOf(text, lines)));
    if (isFinal(state.status)) this.end((subscriber) => subscriber.complete());
    else if (!this.isOver) this.follow(queue);
  }

  /** Arranges that further changes are noticed. */
  private follow(queue: string | null): void {
    const { taskId, host } = this;
    if (queue === null) return this.awaitBackend();
    if (this.isFound) return;
    this.isFound = true;
    host.found(this, { taskId, queue });
  }

  /** The engine does not have the job, so only the backend tells of its end. */
  private awaitBackend(): void {
    if (this.isAwaited) return;
    this.isAwaited = true;
    this.host.results.waitFor(this.taskId, { signal: this.ending.signal }).then(
      () => {
        this.isAwaited = false;
        void this.look();
      },
      (error: unknown) => this.fail(error),
    );
  }

  private end(tell: (subscriber: Subscriber<TaskUpdate>) => void): void {
    if (this.isOver) return;
    this.ending.abort();
    const subscribers = [...this.subscribers];
    this.subscribers.clear();
    this.host.ended(this);
    for (const [subscriber, inContext] of subscribers) inContext(() => tell(subscriber));
  }
}
