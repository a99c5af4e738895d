import { readFileSync } from 'node:fs';
import { jest } from '@jest/globals';
import Database from 'better-sqlite3';
import type { INestApplicationContext } from '@nestjs/common';
import { outbox } from 'flowrra/outbox';
import { MailTasks } from '../../sample-app/transactions/mail.tasks.js';
import { operate, submitWithin, writeMigration } from '../../sample-app/transactions/operations.js';
import { startApp } from '../support/app.js';
import { tempFile } from '../support/sqlite.js';

const apps: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

it('submits in a transaction and operates the outbox as it shows', async () => {
  const database = new Database(':memory:');
  const { app, flowrra } = await startApp(
    { outbox: outbox({ database, relay: false }) },
    { providers: [MailTasks] },
  );
  apps.push(app);
  database.exec('BEGIN');
  const ids = await submitWithin(flowrra, database, app.get(MailTasks));
  database.exec('COMMIT');
  expect(ids.flat()).toHaveLength(5);
  database.exec(`UPDATE flowrra_outbox SET status = 'stuck', tries = 5, error = 'as expected'`);
  expect(await flowrra.outbox.relay()).toBe(0);
  const print = jest.spyOn(console, 'log').mockImplementation(() => undefined);
  await operate(flowrra);
  expect(print).toHaveBeenCalledWith('The oldest job waits for 0 ms, and 5 jobs are stuck.');
  print.mockRestore();
  expect(await flowrra.outbox.relay()).toBe(5);
  const [first] = ids.flat();
  expect(await flowrra.waitForResult(first as string)).toMatchObject({ result: 'receipt of order-1' });
});

it('writes the SQL of the tables as it shows', async () => {
  const file = tempFile();
  await writeMigration(file);
  expect(readFileSync(file, 'utf8')).toContain('CREATE TABLE IF NOT EXISTS "jobs"."shop_outbox"');
});
