import { setTimeout as pause } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { type ChainableCommander, Redis } from 'ioredis';
import pg from 'pg';
import { bullmq, type BullMqOptions } from '../../lib/engine/bullmq/index.js';
import type { BullMqEngine } from '../../lib/engine/bullmq/bullmq-engine.js';
import { answered, followPostgres, followRedis } from './in-flight.js';
import type { ManualClock, World } from './manual-clock.js';

const QUEUES = ['default', 'cpu', 'side', 'slow', 'other'];
/**
 * These pass in real time, in which a busy machine may take long. No case tests them: no call is to count as
 * unanswered, and no job as left by its worker.
 */
const PATIENT = { submitTimeout: '1d', lease: '1d' } as const;
/** Looks that have to agree before a server counts as quiet. */
const LOOKS = 3;
const BETWEEN_MS = 12;

/** A server that a spec uses, and how to make time pass on it. */
export abstract class TestServer {
  abstract connection(): BullMqOptions['connection'];
  /** Makes workers that wait for the next delayed job look at the time. */
  protected abstract wake(storage: string): Promise<void>;
  /** How many jobs are in each state of each queue. */
  protected abstract counts(storage: string): Promise<unknown>;
  /** Makes what expires on the server do so in the test's time. */
  protected async expire(_storage: string): Promise<void> {}
  /** When a limit of the fleet is over. */
  protected abstract nextExpiry(storage: string): Promise<number | null>;
  /** When the next delayed job is due. */
  protected abstract nextDelayed(storage: string): Promise<number | null>;
  abstract close(): Promise<void>;

  engine(storage: string, options: Partial<BullMqOptions> = {}): BullMqEngine {
    return bullmq({
      connection: this.connection(),
      prefix: storage,
      ...PATIENT,
      bullmq: { worker: { drainDelay: 0.01, maximumRateLimitDelay: 10 } },
      ...options,
    });
  }

  /** BullMQ reads the system's clock: here, the test's. */
  live(clock: ManualClock): void {
    jest.spyOn(Date, 'now').mockImplementation(clock.now);
  }

  world(storage: string): World {
    return {
      settle: () => this.settle(storage),
      nextDue: async () => {
        const due = await Promise.all([this.nextDelayed(storage), this.nextExpiry(storage)]);
        const first = Math.min(...due.map((at) => at ?? Infinity));
        return first === Infinity ? null : first;
      },
    };
  }

  /** Waits until workers have taken what is due, and nothing changes any more. */
  async settle(storage: string): Promise<void> {
    await this.expire(storage);
    await this.wake(storage);
    let last = '';
    for (let same = 0; same < LOOKS;) {
      await pause(BETWEEN_MS);
      // On a busy machine a worker's call may take longer than several looks.
      await answered();
      const now = JSON.stringify(await this.counts(storage));
      same = now === last ? same + 1 : 0;
      last = now;
    }
  }
}

/** What expires must not do so in real time while a test runs. */
const NEVER_MS = 3_600_000;

export class TestRedis extends TestServer {
  private readonly client: Redis;
  private readonly expires = new Map<string, number>();

  constructor(private readonly url: string) {
    super();
    followRedis();
    this.client = new Redis(url, { maxRetriesPerRequest: null });
  }

  connection(): string {
    return this.url;
  }

  protected async wake(storage: string): Promise<void> {
    const asked = this.client.pipeline();
    for (const name of QUEUES) asked.zadd(`${storage}:${name}:marker`, 0, '0');
    await asked.exec();
  }

  protected async counts(storage: string): Promise<unknown> {
    const asked = this.client.pipeline();
    for (const name of QUEUES) {
      for (const list of ['wait', 'active', 'paused']) asked.llen(`${storage}:${name}:${list}`);
      for (const set of ['prioritized', 'delayed', 'completed', 'failed'])
        asked.zcard(`${storage}:${name}:${set}`);
    }
    return answersTo(asked);
  }

  /** Redis has a clock of its own. */
  protected override async expire(storage: string): Promise<void> {
    for (const key of await this.client.keys(`${storage}:*`)) {
      if (!/:limiter$|:de:/.test(key)) continue;
      const left = await this.client.pttl(key);
      if (left < 0) continue;
      const at = this.expires.get(key);
      if (at === undefined) {
        // A part of it has passed in real time.
        this.expires.set(key, Date.now() + Math.ceil(left / 1_000) * 1_000);
        await this.client.pexpire(key, NEVER_MS);
      } else if (at <= Date.now()) {
        this.expires.delete(key);
        await this.client.del(key);
      }
    }
  }

  protected async nextExpiry(storage: string): Promise<number | null> {
    await this.expire(storage);
    const mine = [...this.expires].filter(([key]) => key.startsWith(`${storage}:`));
    return mine.length === 0 ? null : Math.min(...mine.map(([, at]) => at));
  }

  /** BullMQ's scores are times shifted by twelve bits. */
  protected async nextDelayed(storage: string): Promise<number | null> {
    const asked = this.client.pipeline();
    for (const name of QUEUES) asked.zrange(`${storage}:${name}:delayed`, '0', '0', 'WITHSCORES');
    const first = (await answersTo(asked)) as string[][];
    const due = first.flatMap(([, score]) =>
      score === undefined ? [] : [Math.floor(Number(score) / 4_096)],
    );
    return due.length === 0 ? null : Math.min(...due);
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }
}

async function answersTo(asked: ChainableCommander): Promise<unknown[]> {
  return ((await asked.exec()) ?? []).map(([error, answer]) => {
    if (error !== null) throw error;
    return answer;
  });
}

const queuesOf = (storage: string): string[] => QUEUES.map((name) => `${storage}.${name}`);

export class TestPostgres extends TestServer {
  private readonly pool: pg.Pool;

  constructor(private readonly url: string) {
    super();
    followPostgres();
    this.pool = new pg.Pool({ connectionString: url, options: '-c search_path=bullmq' });
    // A pool counts as ended before its connections are: the server may go first.
    this.pool.on('error', () => undefined);
  }

  connection(): string {
    return this.url;
  }

  protected async wake(storage: string): Promise<void> {
    await this.pool.query(`SELECT pg_notify('bullmq_jobs', queue) FROM unnest($1::text[]) AS queue`, [
      queuesOf(storage),
    ]);
  }

  protected async counts(storage: string): Promise<unknown> {
    const { rows } = await this.pool.query(
      'SELECT queue, state, count(*) FROM job WHERE queue = ANY($1) GROUP BY 1, 2 ORDER BY 1, 2',
      [queuesOf(storage)],
    );
    return rows;
  }

  protected async nextExpiry(storage: string): Promise<number | null> {
    const { rows } = await this.pool.query<{ at: string | null }>(
      'SELECT min(expire_at_ms) AS at FROM rate_limit WHERE starts_with(queue, $1) AND expire_at_ms > $2',
      [`${storage}.`, Date.now()],
    );
    const at = rows[0]?.at ?? null;
    return at === null ? null : Number(at);
  }

  protected async nextDelayed(storage: string): Promise<number | null> {
    const { rows } = await this.pool.query<{ due: string | null }>(
      'SELECT min(next_delay(queue)) AS due FROM unnest($1::text[]) AS queue',
      [queuesOf(storage)],
    );
    const due = rows[0]?.due ?? null;
    return due === null ? null : Number(due);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}
