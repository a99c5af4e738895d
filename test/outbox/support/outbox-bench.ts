import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import Sqlite from 'better-sqlite3';
import type { Engine } from '../../../lib/engine/engine.js';
import type { FlowrraModuleOptions, FlowrraService } from '../../../lib/index.js';
import { outbox, type OutboxOptions } from '../../../lib/outbox/index.js';
import { startApp } from '../../support/app.js';
import { tempFile } from '../../support/sqlite.js';

export interface BenchOptions extends Omit<FlowrraModuleOptions, 'engine' | 'outbox'> {
  readonly engine?: Engine | string;
  readonly outbox?: Partial<OutboxOptions>;
  readonly metadata?: ModuleMetadata;
}

/** An application whose outbox is in a file of SQLite. Unless a test says so, only `flowrra.outbox.relay()` relays. */
export interface Bench {
  readonly app: INestApplicationContext;
  readonly flowrra: FlowrraService;
  readonly db: Sqlite.Database;
  /** Runs the function in a transaction. */
  transaction<T>(fn: (within: ReturnType<FlowrraService['within']>) => Promise<T>): Promise<T>;
  /** Changes rows of the outbox, as if time had passed. */
  sql(text: string, ...values: unknown[]): void;
  rows(): Record<string, unknown>[];
}

/** Starts applications, and closes after each test whatever it started. */
export class Benches {
  private readonly open: Bench[] = [];

  constructor() {
    afterEach(() => this.closeAll());
  }

  /** @param file Of another application, to share its database. */
  async start(options: BenchOptions = {}, file: string = tempFile()): Promise<Bench> {
    const { metadata, outbox: own, ...rest } = options;
    const db = new Sqlite(file);
    const { app, flowrra } = await startApp(
      { engine: 'memory:', ...rest, outbox: outbox({ database: db, relay: false, ...own }) },
      metadata,
    ).catch((error: unknown) => {
      db.close();
      throw error;
    });
    const bench: Bench = {
      app,
      flowrra,
      db,
      async transaction(fn) {
        db.exec('BEGIN');
        try {
          const result = await fn(flowrra.within(db));
          db.exec('COMMIT');
          return result;
        } catch (error) {
          db.exec('ROLLBACK');
          throw error;
        }
      },
      sql: (text, ...values) => void db.prepare(text).run(...values),
      rows: () => db.prepare('SELECT * FROM flowrra_outbox ORDER BY seq').all() as Record<string, unknown>[],
    };
    this.open.push(bench);
    return bench;
  }

  private async closeAll(): Promise<void> {
    for (const { app, flowrra, db } of this.open.splice(0)) {
      await flowrra.stop({ wait: false });
      await app.close();
      db.close();
    }
  }
}
