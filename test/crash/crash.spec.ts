import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { compileFixtures } from '../support/fixtures.js';
import { randomFrom } from '../support/random.js';
import { DRIVER } from '../support/sqlite.js';
import { until } from '../support/until.js';
import { type Journal, problems, readJournal } from './journal.js';

/** FLOWRRA_TEST_SEED repeats the kills of an earlier run, as far as the machine plays along. */
const SEED = Number(process.env.FLOWRRA_TEST_SEED ?? Date.now() % 1_000_000);
const LONGEST_LIFE_MS = 150;

const here = dirname(fileURLToPath(import.meta.url));
const fixtures = compileFixtures(join(here, 'fixtures'), `crash-${DRIVER.replace(':', '-')}`);
const worker = join(fixtures, 'worker.js');

/** Code and signal that a process ended with. */
type End = [code: number | null, signal: string | null];

/** Processes that share one file, and what they wrote about themselves. */
class Processes {
  readonly folder = mkdtempSync(join(tmpdir(), 'flowrra-crash-'));
  readonly file = join(this.folder, 'tasks.db');
  private readonly runs: { journal: string; child: ChildProcess; ended: Promise<End>; killed: boolean }[] =
    [];

  /** @param lease Of every process, in milliseconds. */
  constructor(private readonly lease: number) {}

  /** Starts one more, and resolves when it is at work. */
  async start(taskIds: string | null = null): Promise<number> {
    const run = this.runs.length;
    const journal = join(this.folder, `journal-${run}`);
    const settings = { file: this.file, driver: DRIVER, journal, run, taskIds, lease: this.lease };
    const child = spawn(process.execPath, ['--no-warnings', worker, JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close') as Promise<End>;
    this.runs.push({ journal, child, ended, killed: false });
    const ready = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
    if (!ready) throw new Error(`Process ${run} ended with ${String(child.exitCode)} before it was ready`);
    return run;
  }

  /** Resolves once the process has begun a job. */
  begins(run: number): Promise<void> {
    const { journal } = this.runs[run] as (typeof this.runs)[number];
    return until(() => readJournal(journal, false).began.size > 0, {
      describe: `process ${run} begins a job`,
    });
  }

  async kill(run: number): Promise<void> {
    const it = this.runs[run] as (typeof this.runs)[number];
    it.child.kill('SIGKILL');
    const [code] = await it.ended;
    if (code !== null) throw new Error(`Process ${run} ended by itself with ${code} before it was killed`);
    it.killed = true;
  }

  journals(): Journal[] {
    return this.runs.map(({ journal, killed }) => readJournal(journal, killed));
  }

  /** A last process, which nobody kills, runs what is left and says what became of every job. */
  async finish(): Promise<Journal> {
    const taskIds = join(this.folder, 'ids.json');
    writeFileSync(
      taskIds,
      JSON.stringify(this.journals().flatMap(({ submitted }) => [...submitted.values()])),
    );
    const run = await this.start(taskIds);
    await (this.runs[run] as (typeof this.runs)[number]).ended;
    return this.journals()[run] as Journal;
  }

  async integrity(): Promise<string> {
    const database = (await loadDriver(DRIVER)).open(this.file);
    const row = database.prepare<{ integrity_check: string }>('PRAGMA integrity_check').get();
    database.close();
    return row?.integrity_check ?? 'unknown';
  }

  remove(): void {
    for (const { child } of this.runs) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const processes: Processes[] = [];
afterEach(() => processes.splice(0).forEach((each) => each.remove()));

function together(lease: number): Processes {
  const started = new Processes(lease);
  processes.push(started);
  return started;
}

async function verdict(all: Processes) {
  const last = await all.finish();
  const journals = all.journals();
  return {
    problems: problems(journals, last.results),
    integrity: await all.integrity(),
    jobs: journals.reduce((sum, { submitted }) => sum + submitted.size, 0),
    interrupted: journals.reduce((sum, { began, ended }) => sum + began.size - ended.length, 0),
  };
}

it(`a process that is killed 30 times loses nothing and finishes nothing twice (seed ${SEED})`, async () => {
  const random = randomFrom(SEED);
  // A process that is alone keeps its jobs, however long it stands still.
  const all = together(3_000);
  for (let kills = 0; kills < 30; kills++) {
    const run = await all.start();
    if (kills % 2 === 0) await all.begins(run);
    await pause(random() * LONGEST_LIFE_MS);
    await all.kill(run);
  }
  const { jobs, interrupted, ...rest } = await verdict(all);
  expect(rest).toEqual({ problems: [], integrity: 'ok' });
  // The harness has tried what it is for.
  expect(jobs).toBeGreaterThan(100);
  expect(interrupted).toBeGreaterThan(0);
});

it(`of three processes on one file, one is killed again and again (seed ${SEED})`, async () => {
  const random = randomFrom(SEED + 1);
  // No living process stands still for so long, however busy the machine: only kills explain what runs twice.
  const all = together(10_000);
  const others = [await all.start(), await all.start()];
  for (let kills = 0; kills < 10; kills++) {
    const victim = await all.start();
    if (kills % 2 === 0) await all.begins(victim);
    await pause(random() * LONGEST_LIFE_MS);
    await all.kill(victim);
  }
  for (const other of others) await all.kill(other);
  const { jobs, ...rest } = await verdict(all);
  expect(rest).toMatchObject({ problems: [], integrity: 'ok' });
  expect(jobs).toBeGreaterThan(100);
});

it('a job that kills its process again and again ends as failed, and takes nothing with it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flowrra-killer-'));
  const args = [join(fixtures, 'killer.js'), join(folder, 'tasks.db'), DRIVER, join(folder, 'ids.json')];
  let kills = 0;
  let printed = '';
  for (let code: number | null = null; code === null && kills < 10;) {
    const child = spawn(process.execPath, ['--no-warnings', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    [code] = (await once(child, 'close')) as [number | null];
    if (code === null) kills++;
  }
  rmSync(folder, { recursive: true, force: true });
  expect(kills).toBe(3);
  expect(JSON.parse(printed)).toEqual({
    status: 'failed',
    error: expect.stringContaining('TaskLostError'),
    code: 'FLOWRRA_TASK_LOST',
    retries: 0,
    other: 'pending',
  });
});
