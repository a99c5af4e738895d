import type { FlowrraService, JobDetails } from '../../../lib/index.js';
import type { Database } from './fixtures/databases.js';
import { BLOCKS } from './fixtures/place.js';

const PAGE = 1_000;
/** Of each list in an error. */
const SHOWN = 10;

export interface Audit {
  readonly orders: number;
  readonly jobs: number;
  /** Attempts that failed. */
  readonly retries: number;
  /** Violations of the promises of the outbox. */
  readonly problems: readonly string[];
}

/** Compares the orders of the database with the jobs of the engine, and both with the ledger. */
export async function audit(database: Database, flowrra: FlowrraService): Promise<Audit> {
  const orders = new Map<string, number>();
  for (const { id, parts } of await database.run('SELECT id, parts FROM orders'))
    orders.set(String(id), Number(parts));
  const jobs = await allJobs(flowrra);
  const found = new Problems();

  const jobOf = new Map<string, JobDetails>();
  for (const job of jobs) {
    const [order, part] = job.args as [string, number];
    const key = `${order} ${part}`;
    if (part >= (orders.get(order) ?? 0)) found.add('job without a committed order', `${key} ${job.taskId}`);
    if (jobOf.has(key)) found.add('second job of a part', `${key} ${job.taskId}`);
    if (job.status !== 'success') found.add(`job that ended as ${job.status}`, `${key} ${String(job.error)}`);
    jobOf.set(key, job);
  }
  for (const [order, parts] of orders)
    for (let part = 0; part < parts; part++)
      if (!jobOf.has(`${order} ${part}`)) found.add('committed order without its job', `${order} ${part}`);

  const tokens = new Map<string, string[]>();
  for (const { order_id, part, block, token } of await database.run('SELECT * FROM ledger')) {
    const key = `${String(order_id)} ${Number(part)} ${String(block)}`;
    tokens.set(key, [...(tokens.get(key) ?? []), String(token)]);
  }
  for (const [key, job] of jobOf)
    for (const [index, block] of BLOCKS.entries()) {
      const own = tokens.get(`${key} ${block}`) ?? [];
      tokens.delete(`${key} ${block}`);
      if (own.length !== 1) found.add(`block that took effect ${own.length} times`, `${key} ${block}`);
      const [returned] = [(job.result as string[] | null)?.[index]];
      if (returned !== own[0]) found.add('block whose stored result was not returned', `${key} ${block}`);
    }
  for (const key of tokens.keys()) found.add('effect without a job', key);

  const count = async (table: string): Promise<number> =>
    Number((await database.run(`SELECT COUNT(*) AS number FROM ${table}`))[0]?.number);
  if ((await count('flowrra_outbox')) > 0)
    found.add('row in the outbox', JSON.stringify(await database.run('SELECT * FROM flowrra_outbox')));
  if ((await count('flowrra_once')) !== BLOCKS.length * jobs.length)
    found.add('number of rows of blocks', String(await count('flowrra_once')));
  const retries = jobs.reduce((sum, job) => sum + job.retries, 0);
  return { orders: orders.size, jobs: jobs.length, retries, problems: found.list() };
}

async function allJobs(flowrra: FlowrraService): Promise<JobDetails[]> {
  const all: JobDetails[] = [];
  let cursor: string | null = null;
  do {
    const page = await flowrra.jobs.find({ limit: PAGE, ...(cursor !== null && { cursor }) });
    for (const { taskId } of page.jobs) {
      const job = await flowrra.jobs.get(taskId);
      if (job !== null) all.push(job);
    }
    cursor = page.cursor;
  } while (cursor !== null);
  return all;
}

class Problems {
  private readonly found = new Map<string, string[]>();

  add(kind: string, example: string): void {
    this.found.set(kind, [...(this.found.get(kind) ?? []), example]);
  }

  list(): string[] {
    return [...this.found].map(
      ([kind, examples]) => `${examples.length} × ${kind}: ${examples.slice(0, SHOWN).join(', ')}`,
    );
  }
}
