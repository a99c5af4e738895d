import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { connectionOf } from '../../../lib/outbox/connection/recognise.js';
import { Housekeeping } from '../../../lib/outbox/housekeeping.js';
import { prepareTables } from '../../../lib/outbox/migrate.js';
import { OutboxDatabase } from '../../../lib/outbox/outbox-database.js';
import { OutboxTable } from '../../../lib/outbox/outbox-table.js';
import { statementsOf } from '../../../lib/outbox/sql/statements.js';
import { ManualClock } from '../../support/manual-clock.js';

const NAMES = { name: 'flowrra', schema: undefined };
const DAY = 86_400_000;
const HOUR = 3_600_000;
const open: Sqlite.Database[] = [];
afterEach(() => {
  jest.restoreAllMocks();
  for (const file of open.splice(0)) file.close();
});

async function setUp({ keepMs = HOUR, isShared = true, known = [] as string[] } = {}) {
  const file = new Sqlite(':memory:');
  open.push(file);
  const clock = new ManualClock();
  const database = new OutboxDatabase(connectionOf(file, 'database'), clock);
  await prepareTables(database, NAMES, true);
  const statements = statementsOf('sqlite', NAMES);
  const asked: string[] = [];
  const housekeeping = new Housekeeping({
    database,
    table: new OutboxTable(database, statements),
    statements,
    clock,
    keepMs,
    isShared,
    isKnown: async (taskId) => {
      asked.push(taskId);
      return known.includes(taskId);
    },
  });
  /** A block that has taken effect some time ago, and is to be checked after `checkMs`. */
  const addOnce = (job: string, ageMs: number, checkMs = -1, name = 'once'): void => {
    const at = Date.now() - ageMs;
    const sql = `INSERT INTO flowrra_once (job, name, claim, created_at, check_at) VALUES (?, ?, 'c', ?, ?)`;
    file.prepare(sql).run(job, name, at, Date.now() + checkMs);
  };
  /** A job that another one stands for, or that waits. */
  const addJob = (id: string, ageMs: number, sameAs: string | null): void => {
    const sql = `INSERT INTO flowrra_outbox (id, task, job, status, created_at, due_at, same_as) VALUES (?, 't', '{}', ?, ?, ?, ?)`;
    const at = Date.now() - ageMs;
    file.prepare(sql).run(id, sameAs === null ? 'waiting' : 'same', at, at, sameAs);
  };
  const select = (sql: string): unknown[] => file.prepare(sql).pluck().all();
  const jobsOfBlocks = (): unknown[] => select('SELECT job FROM flowrra_once ORDER BY job, name');
  const rows = (): unknown[] => select('SELECT id FROM flowrra_outbox ORDER BY id');
  return { file, clock, housekeeping, asked, addOnce, addJob, jobsOfBlocks, rows, select };
}

it('deletes blocks of jobs that the engine does not know any more, once they are to be checked', async () => {
  const { housekeeping, addOnce, jobsOfBlocks, asked } = await setUp({ known: ['known'] });
  addOnce('known', DAY);
  addOnce('gone', DAY);
  addOnce('gone', DAY, -1, 'second');
  addOnce('young', 0, HOUR);
  await housekeeping.clean();
  expect(jobsOfBlocks()).toEqual(['known', 'young']);
  expect(asked.sort()).toEqual(['gone', 'known']);
});

it('checks a job that is known again after its retention, and no sooner than in a minute', async () => {
  for (const [keepMs, later] of [
    [HOUR, HOUR],
    [1_000, 60_000],
  ] as const) {
    const { housekeeping, addOnce, select } = await setUp({ keepMs, known: ['known'] });
    addOnce('known', DAY);
    const begun = Date.now();
    await housekeeping.clean();
    const [check] = select('SELECT check_at FROM flowrra_once') as [number];
    // SQLite computes days as fractions, which may lose a millisecond.
    expect(check).toBeGreaterThanOrEqual(begun + later - 1);
    expect(check).toBeLessThanOrEqual(Date.now() + later);
  }
});

it('asks nothing about blocks of a day if other processes have jobs of their own', async () => {
  const { housekeeping, addOnce, jobsOfBlocks, asked } = await setUp({ isShared: false });
  addOnce('young', HOUR);
  addOnce('old', 2 * DAY);
  await housekeeping.clean();
  expect(jobsOfBlocks()).toEqual(['young']);
  expect(asked).toEqual(['old']);
});

it('deletes jobs for which others stand after their retention, and no others', async () => {
  const { housekeeping, addJob, rows } = await setUp();
  addJob('old alias', 2 * HOUR, 'other');
  addJob('young alias', 1_000, 'other');
  addJob('waits', DAY, null);
  await housekeeping.clean();
  expect(rows()).toEqual(['waits', 'young alias']);
});

it('keeps them if results are kept for ever', async () => {
  const { housekeeping, addJob, addOnce, rows, jobsOfBlocks } = await setUp({
    keepMs: Infinity,
    known: ['known'],
  });
  addJob('old alias', 1_000 * DAY, 'other');
  addOnce('known', DAY);
  await housekeeping.clean();
  expect(rows()).toEqual(['old alias']);
  expect(jobsOfBlocks()).toEqual(['known']);
});

it('deletes all that is old at once, however much it is, and looks at each job once', async () => {
  const { housekeeping, addJob, addOnce, rows, jobsOfBlocks, asked } = await setUp({ known: ['job 7'] });
  for (let n = 0; n < 250; n++) {
    addJob(`alias ${n}`, DAY, 'other');
    addOnce(`job ${n}`, DAY);
  }
  await housekeeping.clean();
  expect(rows()).toEqual([]);
  expect(jobsOfBlocks()).toEqual(['job 7']);
  expect(asked).toHaveLength(250);
});

it('comes about once a minute until it is stopped, and an error does not end it', async () => {
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const { clock, file, housekeeping, addJob, rows } = await setUp();
  housekeeping.start();
  addJob('first', DAY, 'other');
  await clock.advance(60_000);
  expect(rows()).toEqual([]);
  file.exec('ALTER TABLE flowrra_once RENAME TO elsewhere');
  await clock.advance(60_000);
  expect(warn).toHaveBeenCalledTimes(1);
  file.exec('ALTER TABLE elsewhere RENAME TO flowrra_once');
  addJob('second', DAY, 'other');
  await clock.advance(60_000);
  expect(rows()).toEqual([]);
  expect(warn).toHaveBeenCalledTimes(1);
  await housekeeping.stop();
  expect(clock.armed).toBe(0);
});
