import { Injectable } from '@nestjs/common';
import pg from 'pg';
import type { BullMqOptions } from '../../../lib/engine/bullmq/index.js';
import { type FlowrraModuleOptions, Task, TaskContext, TaskCtx } from '../../../lib/index.js';
import { outbox } from '../../../lib/outbox/index.js';
import { startServices } from '../../../scripts/services/services.mjs';
import { place, startOn } from '../../bullmq/apps.js';
import type { TestApp } from '../../support/app.js';

let databases = 0;

/** The tasks of the applications. */
@Injectable()
export class Work {
  /** In the order of the starts. */
  readonly ran: string[] = [];

  @Task({ maxRetries: 0 })
  note(name: string): string {
    this.ran.push(name);
    return `ran ${name}`;
  }

  /** Runs as the task `attempt`. */
  onAttempt: (ctx: TaskContext) => unknown = () => undefined;

  @Task({ maxRetries: 2, retryDelay: 0 })
  attempt(@TaskCtx() ctx: TaskContext): unknown {
    return this.onAttempt(ctx);
  }

  @Task({ maxRetries: 0 })
  seen(@TaskCtx() { taskId, metadata }: TaskContext): unknown {
    return { taskId, metadata };
  }
}

/** A database of its own, on which the engine and the transactions of a spec are. */
export class DirectBed {
  readonly pool: pg.Pool;

  private constructor(
    readonly url: string,
    private readonly stop: () => Promise<void>,
  ) {
    this.pool = new pg.Pool({ connectionString: url, max: 12 });
    this.pool.on('error', () => undefined);
  }

  static async open(): Promise<DirectBed> {
    const services = await startServices({ redis: false });
    const name = `flowrra_direct_${process.pid}_${databases++}`;
    const admin = new pg.Client({ connectionString: services.postgresUrl });
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
    const url = new URL(services.postgresUrl);
    url.pathname = `/${name}`;
    return new DirectBed(url.href, async () => {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
      await services.stop();
    });
  }

  /** An application that adds jobs directly, closed after the test. It has a storage of its own unless one is given. */
  async start(
    more: FlowrraModuleOptions = {},
    options: Partial<BullMqOptions> = {},
  ): Promise<TestApp & { readonly work: Work; readonly storage: string }> {
    const storage = options.prefix ?? place();
    const started = await startOn(
      { connection: this.url, submitTimeout: '1d', lease: '1d', ...options, prefix: storage },
      Work,
      { outbox: outbox({ database: this.pool, direct: true }), ...more },
    );
    return { ...started, work: started.app.get(Work), storage };
  }

  /** Runs the function in a transaction, which is rolled back if the function rejects. */
  async transaction<T>(fn: (tx: pg.PoolClient) => Promise<T>, begin = 'BEGIN'): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query(begin);
      try {
        const result = await fn(client);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
    } finally {
      client.release();
    }
  }

  /** Rows of the engine's table of jobs, in the order of their submissions. */
  async rows(storage: string): Promise<Record<string, unknown>[]> {
    const { rows } = await this.pool.query<Record<string, unknown>>(
      'SELECT * FROM bullmq.job WHERE starts_with(queue, $1) ORDER BY seq',
      [`${storage}.`],
    );
    return rows;
  }

  async close(): Promise<void> {
    await this.pool.end();
    await this.stop();
  }
}

export class Undo extends Error {}
