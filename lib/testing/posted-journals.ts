import type { JournalStore, PostAnswer } from '../engine/journal-store.js';
import { type MaybePromise, whenDone } from '../job/async.js';
import type { Attempt } from '../job/job.js';
import { type Journal, type JournalEntry, wakeDelay } from '../job/journal/journal.js';
import type { TestClock } from './test-clock.js';

/** The journals of a test. They know when jobs with many messages go on: these share a wake-up some milliseconds later. */
export class PostedJournals implements JournalStore {
  private readonly posts = new Map<string, number>();
  private wakeUps: number[] = [];

  constructor(
    private readonly store: JournalStore,
    private readonly clock: TestClock,
  ) {}

  /** The time of the next wake-up after now; `null` for none. */
  nextWakeUp(): number | null {
    this.wakeUps = this.wakeUps.filter((time) => time > this.clock.now());
    return this.wakeUps[0] ?? null;
  }

  read(taskId: string): MaybePromise<Journal> {
    return this.store.read(taskId);
  }

  append(attempt: Attempt, entries: readonly JournalEntry[]): MaybePromise<boolean> {
    return this.store.append(attempt, entries);
  }

  post(taskId: string, entry: JournalEntry): MaybePromise<PostAnswer> {
    return whenDone(this.store.post(taskId, entry), (answer) => {
      if (answer === 'posted') this.posted(taskId);
      return answer;
    });
  }

  forget(taskId: string, keys: readonly string[], mark: JournalEntry): MaybePromise<boolean> {
    return this.store.forget(taskId, keys, mark);
  }

  private posted(taskId: string): void {
    const posts = (this.posts.get(taskId) ?? 0) + 1;
    this.posts.set(taskId, posts);
    const delay = wakeDelay(posts);
    if (delay === 0) return;
    this.wakeUps.push(this.clock.now() + delay);
    this.wakeUps.sort((a, b) => a - b);
  }
}
