import pg from 'pg';
import { startServices } from '../../scripts/services/services.mjs';
import type { BulkCall, BulkSource } from '../../lib/engine/bullmq/server/bull-server.js';
import { MAX_READ, step, type StepRow } from '../../lib/engine/bullmq/server/sql/bulk.js';
import { startOn, Work } from './apps.js';

const services = await startServices({ redis: false });
const schema = `plans_${process.pid}`;
const pool = new pg.Pool({ connectionString: services.postgresUrl, options: `-c search_path=${schema}` });
pool.on('error', () => undefined);
afterAll(async () => {
  await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await pool.end();
  await services.stop();
});

const JOBS = 3_000;
/** The jobs of a step, and those that ended or are due at the same time as the first and the last of them. */
const MOST_ROWS = 210;

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Subplan Name'?: string;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

function mostRows(node: PlanNode): number {
  const own = node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0);
  return Math.max(own, ...(node.Plans ?? []).map(mostRows));
}

/** The part of a plan that looks for the jobs of the step. */
function pageOf(node: PlanNode): PlanNode | undefined {
  if (node['Subplan Name'] === 'CTE page') return node;
  return (node.Plans ?? []).map(pageOf).find((found) => found !== undefined);
}

/** Jobs that PostgreSQL has not analyzed: it assumes that there are few. */
async function fill(state: string): Promise<void> {
  await pool.query('TRUNCATE job, flowrra_job_tag CASCADE');
  await pool.query(
    `INSERT INTO job (queue, id, seq, name, state, priority, data, added_at_ms, process_at_ms, finished_at_ms, failed_reason)
     SELECT 'q', 'job-' || n, n, 'task', $1::job_state, 0, '{"tags":["a"]}', 1000 + n / 3,
            CASE WHEN $1 = 'delayed' THEN 5000 + n / 3 END,
            CASE WHEN $1 IN ('failed', 'completed') THEN 9000 + n / 3 END, 'no'
       FROM generate_series(1, ${JOBS}) AS n`,
    [state],
  );
}

const ANY = { task: undefined, queue: undefined, from: undefined, to: undefined, finishedBefore: undefined };

const call = (kind: BulkCall['kind'], status: BulkCall['conditions']['status'], tag?: string): BulkCall => ({
  kind,
  conditions: { ...ANY, status, tag },
  dryRun: false,
  expired: -1,
  text: 'Cancelled: no',
});

const cases: readonly (readonly [BulkCall['kind'], BulkSource, string, BulkCall])[] = [
  ['remove', 'failed', 'failed', call('remove', ['failed'])],
  ['retry', 'failed', 'failed', call('retry', ['failed'])],
  ['remove', 'completed', 'completed', call('remove', ['success'])],
  ['cancel', 'delayed', 'delayed', call('cancel', ['pending'])],
  ['cancel', 'waiting', 'waiting', call('cancel', ['pending'])],
  ['remove', 'tag', 'failed', call('remove', ['failed'], 'a')],
];

it.each(cases)('a step of %s reads only its own jobs of the source %s', async (_kind, source, state, of) => {
  const { app } = await startOn({ connection: services.postgresUrl, schema }, Work, { role: 'producer' });
  await app.close();
  await fill(state);
  const ended = new Set<string>();
  let position: string | null = null;
  let count = 0;
  for (let steps = 0; steps === 0 || position !== null; steps++) {
    const { sql, values } = step('q', source, of, position, MAX_READ, 1_000_000);
    if (steps % 5 === 1) {
      // Rolled back, so that the step itself follows.
      const client = await pool.connect();
      await client.query('BEGIN');
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`,
        values,
      );
      await client.query('ROLLBACK');
      client.release();
      const [plan] = (rows[0] as (typeof rows)[0])['QUERY PLAN'];
      expect(mostRows(pageOf(plan.Plan) as PlanNode)).toBeLessThan(MOST_ROWS);
    }
    const [row] = (await pool.query<StepRow>(sql, values)).rows as [StepRow];
    count += row.count;
    position = row.last === null ? null : JSON.stringify(row.last);
    if (position !== null) expect(ended.has(position)).toBe(false);
    ended.add(position ?? '');
  }
  expect(count).toBe(JOBS);
});
