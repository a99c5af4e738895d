import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startServices } from '../../scripts/services/services.mjs';
import { bullmq } from '../../lib/engine/bullmq/index.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import type { Engine } from '../../lib/index.js';
import { endLeases } from '../fleet/leases.js';
import { randomFrom } from '../support/random.js';
import { DRIVER, sqliteEngine } from '../support/sqlite.js';
import { until } from '../support/until.js';
import { Client } from './client.js';
import { badlySubmitted, type Line, problemsOf, readLedger } from './ledger.js';
import { endOf, programsOf } from './model.js';
import { type Plan, randomPlan } from './programs.js';
import { Workers } from './workers.js';

/** FLOWRRA_TEST_SEED repeats the programs and, as far as the machine allows, the kills of an earlier run. */
const SEED = Number(process.env.FLOWRRA_TEST_SEED ?? Date.now() % 1_000_000);
const PROGRAMS = Number(process.env.FLOWRRA_TEST_PROGRAMS ?? 200);
const WORKERS = 3;
/** The number of programs between two disasters. */
const BETWEEN = 20;
const LONGEST_LULL_MS = 150;
const LONGEST_OUTAGE_MS = 300;

type Kind = 'sqlite' | 'redis' | 'postgres';

/** The storage of one engine, and the disasters that can happen to it. */
interface Storage {
  readonly place: string;
  readonly lease: string;
  engine(): Engine;
  /** Ends the leases of a killed worker, if the others can be told from them. */
  endLeases(pid: number, isAlone: boolean): Promise<void>;
  /** Kills and restarts the server; `null` for an engine without one. */
  readonly outage: ((ms: number) => Promise<void>) | null;
  remove(): Promise<void>;
}

async function sqliteStorage(): Promise<Storage> {
  const folder = mkdtempSync(join(tmpdir(), 'flowrra-durable-'));
  const place = join(folder, 'tasks.db');
  return {
    place,
    // No live process stands still for that long.
    lease: '8s',
    engine: () => sqliteEngine({ file: place }),
    endLeases: async (_pid, isAlone) => {
      if (!isAlone) return;
      const database = (await loadDriver(DRIVER)).open(place);
      database.prepare("UPDATE jobs SET leased_until = 0 WHERE status = 'running'").run();
      database.close();
    },
    outage: null,
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function serverStorage(kind: 'redis' | 'postgres'): Promise<Storage> {
  const services =
    kind === 'redis'
      ? await startServices({ postgres: false, own: true, durable: true })
      : await startServices({ redis: false, own: true, durable: true });
  const server = services.redis ?? services.postgres;
  const prefix = 'durable';
  return {
    place: server.url,
    lease: '15s',
    engine: () => bullmq({ connection: server.url, prefix }),
    endLeases: (pid) => endLeases(server.url, prefix, pid),
    outage: async (ms) => {
      await server.kill();
      await pause(ms);
      await server.restart();
    },
    remove: () => services.stop(),
  };
}

/** Random programs, while workers and the server are killed. */
export function crashCases(kind: Kind): void {
  let storage: Storage;
  let workers: Workers;
  let client: Client;
  let ledger: string;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'flowrra-ledger-'));
    ledger = join(folder, 'ledger');
    storage = await (kind === 'sqlite' ? sqliteStorage() : serverStorage(kind));
    const { place, lease } = storage;
    workers = new Workers({ kind, place, lease }, ledger);
    client = await Client.start(storage.engine());
  });
  afterAll(async () => {
    workers.remove();
    await client.close();
    await storage.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  async function startWorkers(): Promise<void> {
    await Promise.all(Array.from({ length: WORKERS - workers.size }, () => workers.start()));
  }

  async function killOne(index: number): Promise<void> {
    await storage.endLeases(await workers.kill(index), false);
    await startWorkers();
  }

  async function killAll(): Promise<void> {
    while (workers.size > 0) {
      const pid = await workers.kill(0);
      await storage.endLeases(pid, workers.size === 0);
    }
    await startWorkers();
  }

  /** A deployment. */
  async function stopAll(): Promise<void> {
    expect(await workers.stop()).toEqual(Array(WORKERS).fill(0));
    await startWorkers();
  }

  it(`${PROGRAMS} programs keep their promises through crashes (seed ${SEED})`, async () => {
    const random = randomFrom(SEED);
    const plans = new Map<string, Plan>();
    for (let n = 0; n < PROGRAMS; n++) {
      const plan = randomPlan(random, `p${n}`);
      plans.set(await client.submit(plan.program), plan);
    }
    const programs = new Map([...plans.values()].flatMap(({ program }) => [...programsOf(program)]));
    const signals = new Signals(client, ledger);
    await startWorkers();

    // The later ones are on their way while the disasters happen.
    const ids = [...plans.keys()];
    const disasters = Math.ceil(PROGRAMS / BETWEEN);
    for (let n = 0; n < disasters; n++) {
      const cancelled = ids.slice(n * BETWEEN, (n + 1) * BETWEEN).filter((id) => plans.get(id)?.isCancelled);
      await pause(random() * LONGEST_LULL_MS);
      await Promise.all([...cancelled.map((id) => client.cancel(id)), signals.send()]);
      if (n % 4 === 3 && storage.outage !== null) await storage.outage(random() * LONGEST_OUTAGE_MS);
      else if (n % 4 === 1) await killAll();
      else if (n % 4 === 2) await stopAll();
      else await killOne(Math.trunc(random() * WORKERS));
    }
    let left: string[] = [];
    await until(
      async () => {
        await signals.send();
        left = await client.unfinished();
        return left.length === 0;
      },
      {
        get describe() {
          return `the jobs end: ${left.slice(0, 10).join(', ')}`;
        },
      },
    );
    expect(await workers.stop()).toEqual(Array(WORKERS).fill(0));

    const all = readLedger(ledger);
    const lines = byJob(all);
    const found = badlySubmitted(all);
    for (const [taskId, own] of lines) {
      const path = own.find(({ word }) => word === 'started')?.name ?? '';
      const job = await client.details(taskId);
      const program = programs.get(path);
      if (job === null || program === undefined) found.push(`${taskId} (${path}) is not known`);
      else found.push(...problemsOf(job, program, own));
    }
    for (const [taskId, { program, isCancelled }] of plans) {
      const end = endOf(program);
      const job = await client.details(taskId);
      const isAsPlanned =
        (isCancelled && job?.status === 'cancelled') ||
        (job?.status === end.status && JSON.stringify(job.result) === JSON.stringify(end.result));
      if (!isAsPlanned)
        found.push(
          `${taskId} was to end as ${JSON.stringify(end)}, and ended as ${job?.status}: ${JSON.stringify(job?.result)} ${job?.error}`,
        );
    }
    expect(found).toEqual([]);
  });
}

/** Sends each job that waits for a signal its signal, once. */
class Signals {
  private readonly sent = new Set<string>();

  constructor(
    private readonly client: Client,
    private readonly ledger: string,
  ) {}

  async send(): Promise<void> {
    const waiting = readLedger(this.ledger).filter((line) => this.isNew(line));
    await Promise.all(waiting.map(({ taskId, name }) => this.client.signal(taskId, name)));
  }

  private isNew({ word, taskId, name, number }: Line): boolean {
    const key = `${taskId} ${name}`;
    if (word !== 'waits' || number === 0 || this.sent.has(key)) return false;
    this.sent.add(key);
    return true;
  }
}

function byJob(lines: readonly Line[]): Map<string, Line[]> {
  const jobs = new Map<string, Line[]>();
  for (const line of lines) jobs.set(line.taskId, [...(jobs.get(line.taskId) ?? []), line]);
  return jobs;
}
