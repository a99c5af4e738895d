import type { Redis } from 'ioredis';
import type { QueuedJob } from '../job-mapping.js';
import type { TagEntry, TaggedJobs, TagPosition } from './bull-server.js';
import { defineScripts } from './redis-scripts.js';
import { FORGET_TAGS, LIST_TAGGED, NOTE_TAGS, SWEEP_TAGS } from './lua/tags.js';

/** A job that was noted longer ago, and does not exist, was not added or is gone. */
const SETTLED_MS = 60_000;
/** A script blocks the server: the most jobs of one call. */
const MAX_NOTED = 200;
const MAX_SWEPT = 500;
/** The most calls of one sweep. */
const MAX_SWEEPS = 20;

const SCRIPTS = {
  noteTags: NOTE_TAGS,
  listTagged: LIST_TAGGED,
  forgetTags: FORGET_TAGS,
  sweepTags: SWEEP_TAGS,
};

/**
 * The tags of jobs on Redis. For each queue: a sorted set of the jobs of each tag, by the time of submission; a hash of
 * the tags of each job; and a sorted set of all jobs with tags, by the time at which it was last checked whether they exist.
 */
export class RedisTags implements TaggedJobs {
  private readonly script;

  constructor(
    client: Redis,
    private readonly prefix: string,
    private readonly now: () => number,
  ) {
    this.script = defineScripts(client, SCRIPTS);
  }

  /** The commands are sent before those of the addition, on the same connection. */
  note(queue: string, jobs: readonly QueuedJob[]): Promise<void> | null {
    const tagged = jobs.filter(({ tags }) => tags !== undefined);
    if (tagged.length === 0) return null;
    const now = this.now();
    const calls: Promise<unknown>[] = [];
    for (let from = 0; from < tagged.length; from += MAX_NOTED) {
      const given = tagged
        .slice(from, from + MAX_NOTED)
        .flatMap(({ options, tags = [] }) => [options.jobId, tags.length, ...tags]);
      calls.push(this.script.noteTags(this.base(queue), '', now, now - SETTLED_MS, ...given));
    }
    return Promise.all(calls).then(() => undefined);
  }

  async list(queue: string, tag: string, before: TagPosition | null, count: number): Promise<TagEntry[]> {
    const { taskId, at } = before ?? { taskId: '', at: 0 };
    const answer = (await this.script.listTagged(this.base(queue), '', tag, taskId, at, count)) as string[];
    return Array.from({ length: answer.length / 2 }, (_, n) => ({
      taskId: answer[2 * n] as string,
      at: Number(answer[2 * n + 1]),
    }));
  }

  async forget(queue: string, taskIds: readonly string[]): Promise<void> {
    await this.script.forgetTags(this.base(queue), '', this.now() - SETTLED_MS, ...taskIds);
  }

  async sweep(queue: string): Promise<void> {
    for (let calls = 0; calls < MAX_SWEEPS; calls++) {
      const now = this.now();
      const swept = await this.script.sweepTags(this.base(queue), '', now, now - SETTLED_MS, MAX_SWEPT);
      if (swept !== MAX_SWEPT) return;
    }
  }

  private base(queue: string): string {
    return `${this.prefix}:${queue}:`;
  }
}
