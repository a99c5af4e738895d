import { setTimeout as pause } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { EngineError, type FlowrraService } from '../../lib/index.js';
import { startApp } from '../support/app.js';
import { randomFrom } from '../support/random.js';
import { until } from '../support/until.js';
import { audit } from './crash/audit.js';
import { type Dialect, type EngineKind, type Role, TASK } from './crash/fixtures/place.js';
import { compileMembers, Fleet } from './crash/fleet.js';
import { startServers, type Storage } from './crash/places.js';

/** FLOWRRA_TEST_SEED repeats the transactions and, as far as the machine allows, the kills of an earlier run. */
const SEED = Number(process.env.FLOWRRA_TEST_SEED ?? Date.now() % 1_000_000);
/** Of all combinations together. */
const ROUNDS = Number(process.env.FLOWRRA_TEST_ROUNDS ?? 200);
const DIALECTS: readonly Dialect[] = ['postgres', 'mysql', 'sqlite'];
/** The engine memory is left out: its jobs end with their process, so that they cannot agree with a database. */
const ENGINES: readonly EngineKind[] = ['sqlite', 'redis', 'postgres'];
const ROLES: readonly Role[] = ['producer', 'relay', 'worker'];
/** The number of processes of each role. */
const SIZES: Readonly<Record<Role, number>> = { producer: 1, relay: 2, worker: 2 };
const LONGEST_LULL_MS = 150;
const LONGEST_OUTAGE_MS = 300;

const combinations = DIALECTS.flatMap((dialect) => ENGINES.map((engine) => ({ dialect, engine })));
const rounds = Math.ceil(ROUNDS / combinations.length);
let servers: Awaited<ReturnType<typeof startServers>>;
let program: string;

beforeAll(async () => {
  program = compileMembers();
  servers = await startServers();
});
afterAll(() => servers.stop());

describe.each(combinations)('$dialect and the engine on $engine', ({ dialect, engine }) => {
  const seed = SEED + combinations.findIndex((other) => other.dialect === dialect && other.engine === engine);
  let storage: Storage;
  let fleet: Fleet;
  let app: INestApplicationContext;
  let flowrra: FlowrraService;

  beforeAll(async () => {
    storage = await servers.open(dialect, engine);
    fleet = new Fleet(program, storage.place, seed);
    ({ app, flowrra } = await startApp({
      role: 'producer',
      engine: storage.engine(),
      remoteTasks: { [TASK]: { queue: 'default' } },
      resultTtl: '1d',
      maxResults: 1_000_000,
    }));
  });
  afterAll(async () => {
    fleet.remove();
    await app.close();
    await storage.close();
  });

  it(`keeps the database and the jobs in agreement through ${rounds} crashes (seed ${seed})`, async () => {
    const disasters = new Disasters(storage, fleet, seed);
    disasters.startMembers();
    await fleet.ready();
    for (let round = 0; round < rounds; round++) await disasters.next();

    await stop(fleet, 'producer');
    await storage.database.untilWritten('orders');
    await disasters.endClaims();
    await until(() => isDrained(storage, flowrra), { describe: 'the outbox and the queue are empty' });
    await stop(fleet, 'relay');
    await stop(fleet, 'worker');

    const { problems, orders, retries } = await audit(storage.database, flowrra);
    expect(problems).toEqual([]);
    expect(orders).toBeGreaterThanOrEqual(rounds);
    expect(retries).toBeGreaterThan(0);
  });
});

async function stop(fleet: Fleet, role: Role): Promise<void> {
  expect(await fleet.stop(role)).toEqual(Array(SIZES[role]).fill(0));
}

async function isDrained({ database }: Storage, flowrra: FlowrraService): Promise<boolean> {
  const waiting = await database.run('SELECT 1 FROM flowrra_outbox LIMIT 1');
  if (waiting.length > 0) return false;
  try {
    // Unlike a page of jobs, the counts of a queue are read at one moment: a job that changes its status is in them.
    const counts = await flowrra.jobs.counts();
    return counts.every(({ pending, running, retrying }) => pending + running + retrying === 0);
  } catch (error) {
    // The client may not have connected again after the last outage.
    if (error instanceof EngineError) return false;
    throw error;
  }
}

/** Kills processes and servers, and brings them back. */
class Disasters {
  private readonly random: () => number;
  /** All kinds happen in a few rounds, in an order of their own each time. */
  private left: (() => Promise<void>)[] = [];

  constructor(
    private readonly storage: Storage,
    private readonly fleet: Fleet,
    seed: number,
  ) {
    this.random = randomFrom(seed);
  }

  async next(): Promise<void> {
    if (this.left.length === 0) this.left = this.all();
    const [disaster] = this.left.splice(Math.trunc(this.random() * this.left.length), 1);
    await this.untilOrdered();
    await pause(this.random() * LONGEST_LULL_MS);
    await disaster?.();
    await this.endClaims();
    this.startMembers();
  }

  /** Starts the members that are missing, and awaits them only if there is none of a role. */
  startMembers(): void {
    for (const role of ROLES)
      while (this.fleet.size(role) < SIZES[role])
        this.fleet.start(role, role === 'relay' || this.random() < 0.25);
  }

  /** Jobs of killed relays need not wait for the end of their claims. Two relays may have those of live ones. */
  async endClaims(): Promise<void> {
    await this.storage.database.run('UPDATE flowrra_outbox SET due_at = 0 WHERE claim IS NOT NULL');
  }

  /** Each round has orders of its own, however slowly the producers start. */
  private async untilOrdered(): Promise<void> {
    const before = await this.orders();
    await until(async () => (await this.orders()) > before, { describe: 'an order is committed' });
  }

  private async orders(): Promise<number> {
    const [row] = await this.storage.database.run('SELECT COUNT(*) AS number FROM orders');
    return Number(row?.number);
  }

  /** A start of a process costs most of the time, so one process is killed more often than all of a role. */
  private all(): (() => Promise<void>)[] {
    const { databaseOutage, engineOutage } = this.storage;
    const one = ROLES.map((role) => () => this.kill(role, this.pick(SIZES[role])));
    const outages = [databaseOutage, engineOutage].flatMap((outage) =>
      outage === null ? [] : [() => this.outage(outage)],
    );
    const some = this.random() < 0.25 ? ROLES : [ROLES[this.pick(ROLES.length)] as Role];
    return [
      ...one,
      ...one,
      ...outages,
      ...outages,
      ...outages,
      () => (this.random() < 0.5 ? this.killAll(some) : this.deploy(some)),
    ];
  }

  private pick(length: number): number {
    return Math.trunc(this.random() * length);
  }

  private async kill(role: Role, index: number): Promise<void> {
    const pid = await this.fleet.kill(role, index);
    if (role === 'worker') await this.storage.endLeases(pid);
  }

  private async killAll(roles: readonly Role[]): Promise<void> {
    for (const role of roles) while (this.fleet.size(role) > 0) await this.kill(role, 0);
  }

  private async deploy(roles: readonly Role[]): Promise<void> {
    for (const role of roles) await stop(this.fleet, role);
  }

  /** A process that starts meanwhile would end. */
  private async outage(outage: (ms: number) => Promise<void>): Promise<void> {
    await this.fleet.ready();
    await outage(this.random() * LONGEST_OUTAGE_MS);
  }
}
