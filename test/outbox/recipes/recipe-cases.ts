import { jest } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { FlowrraService } from '../../../lib/index.js';
import { loadDriver } from '../../../lib/engine/sqlite/file/load-driver.js';
import type { SqlDialect } from '../../../lib/outbox/index.js';
import { MailTasks } from '../../../sample-app/transactions/mail.tasks.js';
import { DRIVER } from '../../support/sqlite.js';
import { type OwnDatabase, ownDatabase } from '../support/own-database.js';

/** The exports of a file with a recipe. */
interface Recipe {
  readonly RecipeModule: Type;
  readonly Orders: Type<{ place(id: string): Promise<string> | string }>;
}

/** Runs a statement by the driver alone: the URL of the database, and the statement. */
type RunSql = (url: string, sql: string) => Promise<readonly object[]>;

export const RUN: Readonly<Record<SqlDialect, RunSql>> = {
  async postgres(url, sql) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<object>(sql)).rows;
    } finally {
      await client.end();
    }
  },
  async mysql(url, sql) {
    const connection = await mysql.createConnection(url);
    try {
      const [rows] = await connection.query(sql);
      return Array.isArray(rows) ? (rows as object[]) : [];
    } finally {
      await connection.end();
    }
  },
  async sqlite(file, sql) {
    const database = (await loadDriver(DRIVER)).open(file);
    try {
      if (sql.startsWith('SELECT')) return database.prepare<object>(sql).all();
      database.exec(sql);
      return [];
    } finally {
      database.close();
    }
  },
};

/** @param server The URL of the server of the database; none for SQLite. */
export function recipeCases(
  dialect: SqlDialect,
  recipes: Readonly<Record<string, () => Promise<Recipe>>>,
  server?: string,
): void {
  describe.each(Object.entries(recipes))('the recipe for %s', (_name, load) => {
    let database: OwnDatabase;
    let app: INestApplicationContext;
    let place: (id: string) => Promise<string>;

    beforeAll(async () => {
      database = await ownDatabase(dialect, server);
      await RUN[dialect](database.url, 'CREATE TABLE orders (id varchar(100) PRIMARY KEY)');
      process.env['DATABASE_URL'] = database.url;
      const { RecipeModule, Orders } = await load();
      app = await NestFactory.createApplicationContext(RecipeModule, {
        logger: ['error'],
        abortOnError: false,
      });
      const orders = app.get(Orders);
      place = async (id) => orders.place(id);
    });
    afterAll(async () => {
      await app.close();
      await database.remove();
      delete process.env['DATABASE_URL'];
    });

    const stored = async (): Promise<readonly object[]> =>
      RUN[dialect](database.url, 'SELECT id FROM orders ORDER BY id');

    it('makes the order and its job', async () => {
      const { result } = await app.get(FlowrraService).waitForResult(await place('kept'));
      expect(result).toBe('receipt of kept');
      expect(await stored()).toEqual([{ id: 'kept' }]);
    });

    it('makes neither if the transaction fails after the submission', async () => {
      const flowrra = app.get(FlowrraService);
      const ids = failAfterSubmission(flowrra);
      await expect(place('undone')).rejects.toThrow('failed on purpose');
      expect(ids).toHaveLength(1);
      expect(await flowrra.outbox.relay()).toBe(0);
      expect(await flowrra.getResult(ids[0] as string)).toBeNull();
      expect(app.get(MailTasks).sent).not.toContain('undone');
      expect(await stored()).toEqual([{ id: 'kept' }]);
    });
  });
}

/** The next submission in a transaction is made, and then throws. Returns its id, once it is made. */
function failAfterSubmission(flowrra: FlowrraService): readonly string[] {
  const ids: string[] = [];
  const failWith = (id: string): never => {
    ids.push(id);
    throw new Error('failed on purpose');
  };
  const within = flowrra.within.bind(flowrra);
  jest.spyOn(flowrra, 'within').mockImplementationOnce((tx) => {
    const real = within(tx);
    const { submit, submitSync } = real;
    return Object.assign(real, {
      submit: async (...given: [never]) => failWith(await submit.apply(real, given)),
      submitSync: (...given: [never]) => failWith(submitSync.apply(real, given)),
    });
  });
  return ids;
}
