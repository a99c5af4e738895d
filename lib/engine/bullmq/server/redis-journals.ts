import type { Redis } from 'ioredis';
import type { Journal, JournalEntry } from '../../../job/journal/journal.js';
import type { PostAnswer } from '../../journal-store.js';
import {
  type Delayed,
  delayedAt,
  dueAfter,
  type JobJournals,
  type JobPlace,
  NOT_DELAYED,
  type Resumed,
} from './job-journals.js';
import {
  APPEND,
  COUNT_SUSPENDED,
  COUNTER,
  DELAYS,
  ENTRY,
  FORGET,
  POST,
  READ,
  RESUME,
  SUSPEND,
  SUSPENDED_KEY,
} from './lua/journal.js';
import { defineScripts } from './redis-scripts.js';

/** BullMQ's score of a delayed job is its due time, times this, plus a counter. */
const SCORE_PER_MS = 4_096;

const SCRIPTS = {
  readJournal: READ,
  appendJournal: APPEND,
  postJournal: POST,
  forgetJournal: FORGET,
  suspend: SUSPEND,
  resume: RESUME,
  countSuspended: COUNT_SUSPENDED,
  delays: DELAYS,
};

/** {@link JobJournals} as Lua scripts on BullMQ's keys. */
export class RedisJournals implements JobJournals {
  private readonly script;

  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
    private readonly now: () => number,
  ) {
    this.script = defineScripts(client, SCRIPTS);
  }

  async read({ queue, taskId }: JobPlace): Promise<Journal | null> {
    const fields = (await this.script.readJournal(this.base(queue), taskId)) as string[] | null;
    return fields === null ? null : journalOf(fields);
  }

  async append(
    { queue, taskId }: JobPlace,
    token: string,
    entries: readonly JournalEntry[],
  ): Promise<boolean> {
    const fields = entries.flatMap(({ key, body }) => [fieldOf(key), body]);
    return (await this.script.appendJournal(this.base(queue), taskId, token, ...fields)) === 1;
  }

  async post({ queue, taskId }: JobPlace, { key, body }: JournalEntry, expired: number): Promise<PostAnswer> {
    const given = [fieldOf(key), body, this.now(), expired] as const;
    return (await this.script.postJournal(this.base(queue), taskId, ...given)) as PostAnswer;
  }

  async forget(
    { queue, taskId }: JobPlace,
    keys: readonly string[],
    { key, body }: JournalEntry,
  ): Promise<boolean> {
    const given = [fieldOf(key), body, ...keys.map(fieldOf)];
    return (await this.script.forgetJournal(this.base(queue), taskId, ...given)) === 1;
  }

  async suspend({ queue, taskId }: JobPlace, token: string, delay: number, seen: number): Promise<boolean> {
    const now = this.now();
    const given = [token, dueAfter(delay, now), seen, now] as const;
    return (await this.script.suspend(this.base(queue), taskId, ...given)) === 1;
  }

  async resume({ queue, taskId }: JobPlace): Promise<Resumed> {
    const [isResumed, text] = (await this.script.resume(this.base(queue), taskId)) as [number, string];
    return { isResumed: isResumed === 1, cancelText: text || null };
  }

  async suspendedCount(queue: string): Promise<number> {
    return (await this.script.countSuspended(this.base(queue), '', this.now())) as number;
  }

  /** Ids of suspended jobs by due time, and of jobs that have been suspended. */
  list(queue: string, offset: number, count: number): Promise<string[]> {
    return this.client.zrange(`${this.base(queue)}${SUSPENDED_KEY}`, `${offset}`, `${offset + count - 1}`);
  }

  async delays(places: readonly JobPlace[]): Promise<Delayed[]> {
    const now = this.now();
    const delays = new Map<JobPlace, Delayed>();
    for (const queue of new Set(places.map((place) => place.queue))) {
      const some = places.filter((place) => place.queue === queue);
      const ids = some.map(({ taskId }) => taskId);
      const answers = (await this.script.delays(this.base(queue), '', ...ids)) as string[];
      some.forEach((place, n) => delays.set(place, delayedOf(answers[2 * n], answers[2 * n + 1], now)));
    }
    return places.map((place) => delays.get(place) ?? NOT_DELAYED);
  }

  private base(queue: string): string {
    return `${this.prefix}:${queue}:`;
  }
}

function delayedOf(score: string | undefined, mark: string | undefined, now: number): Delayed {
  if (!score) return NOT_DELAYED;
  const due = Math.floor(Number(score) / SCORE_PER_MS);
  return delayedAt(due, due > now && due === Number(mark));
}

/** Without a colon in the entry's key: see `JOURNAL_KEY`. */
function fieldOf(key: string): string {
  return `${ENTRY}${key.replaceAll('%', '%25').replaceAll(':', '%3A')}`;
}

function keyOf(field: string): string {
  return field.slice(ENTRY.length).replaceAll('%3A', ':').replaceAll('%25', '%');
}

function journalOf(fields: readonly string[]): Journal {
  const found: { readonly position: number; readonly entry: JournalEntry }[] = [];
  let posts = 0;
  for (let at = 0; at < fields.length; at += 2) {
    const [field, value] = fields.slice(at, at + 2) as [string, string];
    if (field === `${COUNTER}posts`) posts = Number(value);
    if (!field.startsWith(ENTRY)) continue;
    const space = value.indexOf(' ');
    const entry = { key: keyOf(field), body: value.slice(space + 1) };
    found.push({ position: Number(value.slice(0, space)), entry });
  }
  const entries = found.sort((a, b) => a.position - b.position).map(({ entry }) => entry);
  return { entries, posts };
}
