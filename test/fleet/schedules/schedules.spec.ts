import { setTimeout as pause } from 'node:timers/promises';
import { type ServiceControls, startServices } from '../../../scripts/services/services.mjs';
import { bullmq } from '../../../lib/engine/bullmq/index.js';
import { EngineError, type FlowrraService, type ScheduleDetails } from '../../../lib/index.js';
import { occurrenceId } from '../../../lib/job/schedule/schedule.js';
import { startApp, type TestApp } from '../../support/app.js';
import { randomFrom } from '../../support/random.js';
import { sqliteEngine, tempFile } from '../../support/sqlite.js';
import { until } from '../../support/until.js';
import { type Journals, type Place, type Ran, ScheduleFleet } from './schedule-fleet.js';

/** FLOWRRA_TEST_SEED repeats the kills of an earlier run, as far as the machine plays along. */
const SEED = Number(process.env.FLOWRRA_TEST_SEED ?? Date.now() % 1_000_000);
/** The number of occurrences of each schedule. With 120 or more, all workers are away for over a minute once. */
const SECONDS = Number(process.env.FLOWRRA_FLEET_SECONDS ?? 20);
const SCHEDULES = 50;
const WORKERS = 5;
const LONGEST_LULL_MS = 800;
const LONGEST_OUTAGE_MS = 1_500;
const ALL_AWAY_MS = 63_000;
const LEAD_MS = 2_000;
const PATIENCE_MS = 30_000;

const MISSED = ['skip', 'once', 'all'] as const;
const OVERLAP = ['allow', 'skip', 'queue'] as const;

/** All combinations of the two policies. Jobs of `skip` and `queue` sometimes last longer than a second. */
const PLAN = Array.from({ length: SCHEDULES }, (_, n) => {
  const missed = MISSED[n % 3] as (typeof MISSED)[number];
  const overlap = OVERLAP[Math.trunc(n / 3) % 3] as (typeof OVERLAP)[number];
  return { name: `schedule-${n}`, missed, overlap, longestMs: overlap === 'allow' ? 0 : 1_500 };
});

describe.each(['sqlite', 'redis', 'postgres'] as const)('schedules of a fleet on %s', (kind) => {
  let server: ServiceControls | null = null;
  let stopServices = async (): Promise<void> => {};
  let fleet: ScheduleFleet;
  let producer: TestApp;

  beforeAll(async () => {
    if (kind === 'sqlite') return;
    const services =
      kind === 'redis'
        ? await startServices({ postgres: false, own: true, durable: true })
        : await startServices({ redis: false, own: true, durable: true });
    server = services.redis ?? services.postgres;
    stopServices = services.stop;
  });
  afterAll(() => stopServices());
  afterEach(async () => {
    fleet.remove();
    await producer.app.close();
  });

  async function setUp(): Promise<FlowrraService> {
    const place: Place =
      server === null
        ? { sqlite: { file: tempFile() } }
        : { bullmq: { connection: server.url, prefix: `fleet${SEED}` } };
    fleet = new ScheduleFleet(place);
    const engine =
      'sqlite' in place ? sqliteEngine(place.sqlite) : bullmq({ ...place.bullmq, submitTimeout: '1h' });
    producer = await startApp({ role: 'producer', engine, remoteTasks: { 'Ticks.tick': {} } });
    return producer.flowrra;
  }

  /** Hits workers and the server at random, until the time. */
  async function disturb(end: number): Promise<Record<string, number>> {
    const random = randomFrom(SEED);
    // One may be about to be replaced.
    const any = (): number => Math.trunc(random() * (WORKERS - 1));
    const deeds = {
      kill: () => fleet.kill(any()),
      stop: () => fleet.stop(any()),
      'die before the write': () => fleet.die(any(), 'before the write'),
      'die after the write': () => fleet.die(any(), 'after the write'),
      outage: async () => {
        await server?.kill();
        await pause(random() * LONGEST_OUTAGE_MS);
        await server?.restart();
      },
    };
    const names = (Object.keys(deeds) as (keyof typeof deeds)[]).filter(
      (name) => server || name !== 'outage',
    );
    const done: Record<string, number> = {};
    let replacing = Promise.resolve();
    while (Date.now() < end) {
      await pause(random() * LONGEST_LULL_MS);
      const name = names[Math.trunc(random() * names.length)] as keyof typeof deeds;
      // Meanwhile the others go on: at most two workers are away.
      await Promise.all([replacing, deeds[name]()]);
      done[name] = (done[name] ?? 0) + 1;
      if (name !== 'outage') replacing = fleet.start(1);
    }
    await replacing;
    return done;
  }

  it(`each of ${SECONDS * SCHEDULES} occurrences is run once or skipped (seed ${SEED})`, async () => {
    const { schedules, ...flowrra } = bound(await setUp());
    await fleet.start(WORKERS);
    const from = Math.ceil((Date.now() + LEAD_MS) / 1_000) * 1_000;
    const to = from + SECONDS * 1_000;
    const [start, end] = [new Date(from), new Date(to)];
    for (const { name, missed, overlap, longestMs } of PLAN)
      await schedules.set(name, { every: '1s', start, end, missed, overlap }, 'Ticks.tick', longestMs);

    const half = from + (to - from) * 0.25;
    const first = await disturb(half);
    if (SECONDS >= 120) {
      await fleet.killAll();
      await pause(ALL_AWAY_MS);
      await fleet.start(WORKERS);
    }
    const second = await disturb(to - 2_000);

    const details = async (): Promise<ScheduleDetails[]> =>
      Promise.all(PLAN.map(async ({ name }) => (await schedules.get(name)) as ScheduleDetails));
    let quietSince = Infinity;
    const isOver = async (): Promise<boolean> => {
      const all = await answered(details);
      const pending = await answered(flowrra.pendingCount);
      const isQuiet =
        pending === 0 && all?.every(({ next }) => next === null) === true && allRan(all, journals());
      if (!isQuiet) return false;
      quietSince = Math.min(quietSince, Date.now());
      // Occurrences that never come are a problem, and not a reason to wait without an end.
      return allHandled(all, journals()) || Date.now() > quietSince + PATIENCE_MS;
    };
    const journals = (): Journals => fleet.journals();
    await until(isOver, { describe: 'all occurrences are over' });
    await fleet.stopAll();

    const found = await details();
    const journal = journals();
    console.log(figures(kind, journal, found, [first, second]));
    expect(problems(journal, found, from, to)).toEqual([]);
    expect(journal.failed).toEqual([]);
  });
});

function bound(flowrra: FlowrraService) {
  return { schedules: flowrra.schedules, pendingCount: () => flowrra.pendingCount() };
}

/** `null` while the server is away. */
async function answered<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof EngineError) return null;
    throw error;
  }
}

/** Whether every submitted job has run. */
function allRan(found: readonly ScheduleDetails[], { ran }: Journals): boolean {
  const jobs = new Map<string, Set<string>>();
  for (const { name, taskId } of ran) jobs.set(name, (jobs.get(name) ?? new Set()).add(taskId));
  return found.every(
    ({ name, counts, history }) =>
      (jobs.get(name)?.size ?? 0) >= counts.submitted &&
      history.every(({ status }) => status !== 'running' && status !== 'pending'),
  );
}

/** Otherwise some may wait for the end of a previous job. */
function allHandled(found: readonly ScheduleDetails[], { ran }: Journals): boolean {
  return found.every(
    ({ name, counts }) => occurrencesOf(name, ran) + counts.missed + counts.overlapped >= SECONDS,
  );
}

/** The number of occurrences that jobs stand for, each once. */
function occurrencesOf(name: string, ran: readonly Ran[]): number {
  const byTime = new Map(ran.filter((each) => each.name === name).map((each) => [each.at, each]));
  return [...byTime.values()].reduce((sum, { missed }) => sum + Math.max(1, missed), 0);
}

function problems(journal: Journals, found: readonly ScheduleDetails[], from: number, to: number): string[] {
  const { ran, succeeded } = journal;
  const list: string[] = [];
  for (const { taskId, name, at } of ran) {
    if (taskId !== occurrenceId(name, at)) list.push(`${name} at ${at} has another job, ${taskId}`);
    if (at < from || at >= to || at % 1_000 !== 0) list.push(`${name} ran at ${at}, which is no occurrence`);
  }
  const ends = new Map<string, number>();
  for (const taskId of succeeded) ends.set(taskId, (ends.get(taskId) ?? 0) + 1);
  for (const [taskId, times] of ends) if (times > 1) list.push(`${taskId} has ended ${times} times`);
  for (const { name, counts, next } of found) {
    const times = new Set(ran.filter((each) => each.name === name).map(({ at }) => at));
    const handled = occurrencesOf(name, ran) + counts.missed + counts.overlapped;
    if (times.size !== counts.submitted)
      list.push(`${name} has run ${times.size} times and was submitted ${counts.submitted} times`);
    if (handled !== SECONDS)
      list.push(`${name}: ${handled} of ${SECONDS} occurrences are handled, ${JSON.stringify(counts)}`);
    if (next !== null) list.push(`${name} goes on at ${next.toISOString()}`);
  }
  return list;
}

function figures(
  kind: string,
  { ran, lateness, died }: Journals,
  found: readonly ScheduleDetails[],
  deeds: readonly object[],
): string {
  // An occurrence that waits for the end of the previous job is late by intention.
  const waits = new Set(PLAN.filter(({ overlap }) => overlap === 'queue').map(({ name }) => name));
  const sorted = lateness
    .filter(([name]) => !waits.has(name))
    .map(([, ms]) => ms)
    .toSorted((a, b) => a - b);
  const share = (of: number): number => sorted[Math.trunc(of * (sorted.length - 1))] ?? NaN;
  const sum = (key: 'submitted' | 'missed' | 'overlapped'): number =>
    found.reduce((total, { counts }) => total + counts[key], 0);
  return [
    `${kind}: submitted ${sum('submitted')}, missed ${sum('missed')}, overlapped ${sum('overlapped')}`,
    `attempts ${ran.length}, jobs ${new Set(ran.map(({ taskId }) => taskId)).size}, died at a write ${died}`,
    `lateness p50 ${share(0.5)} ms, p99 ${share(0.99)} ms, worst ${share(1)} ms; ${JSON.stringify(deeds)}`,
  ].join('; ');
}
