import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startServices } from '../../scripts/services/services.mjs';
import type { TaskUpdate } from '../../lib/index.js';
import { follow } from '../../sample-app/tasks/follow.js';
import { StreamedEvents } from '../support/event-source.js';
import { compileFixtures } from '../support/fixtures.js';
import { until } from '../support/until.js';
import { ownPlace } from '../support/own-place.js';

/** Between two looks at a task. */
const LOOK_MS = 20;

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const sample = compileFixtures(join(root, 'sample-app'), 'two-processes');
const services = await startServices();
const place = await ownPlace(services, 1);
const folder = mkdtempSync(join(tmpdir(), 'flowrra-two-'));
const uploads = join(folder, 'uploads');
const running = new Set<Program>();

// Here, so that a test which fails leaves nothing running behind it.
afterEach(async () => {
  for (const program of running) await program.end('SIGKILL');
});
afterAll(async () => {
  await place.remove();
  await services.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Status {
  status: string;
  result: unknown;
  retries: number;
  progress: { sent: number; of: number } | null;
  isComplete: boolean;
}

/** One of the sample's processes, and what it has printed. */
class Program {
  readonly closed: Promise<[code: number | null, signal: string | null]>;
  printed = '';
  private readonly child: ChildProcess;

  constructor(file: 'main.js' | 'worker.js', env: NodeJS.ProcessEnv) {
    const child = spawn(process.execPath, ['--no-warnings', join(sample, file)], {
      cwd: root,
      env: { ...process.env, PORT: '0', UPLOADS: uploads, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.printed += chunk.toString()));
    this.child = child;
    this.closed = once(child, 'close') as typeof this.closed;
    running.add(this);
    child.once('close', () => running.delete(this));
  }

  /** The address that it prints when it listens. */
  async address(): Promise<string> {
    for (;;) {
      const [, url] = /(http:\/\/\S+)\/users/.exec(this.printed) ?? [];
      if (url !== undefined) return url;
      if (!running.has(this)) throw new Error(`It ended before it listened: ${this.printed}`);
      await pause(LOOK_MS);
    }
  }

  async end(signal: NodeJS.Signals): Promise<unknown> {
    this.child.kill(signal);
    return (await this.closed)[1];
  }
}

/** Asks again while the engine is out of reach, as it may seem on a busy machine. */
async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  let response = await fetch(url, init);
  while (response.status === 503) response = await fetch(url, init);
  return response;
}

async function post(url: string, body: object): Promise<string> {
  const response = await ask(
    url,
    body instanceof FormData
      ? { method: 'POST', body }
      : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } },
  );
  expect(response.status).toBe(202);
  return response.headers.get('location') as string;
}

async function status(url: string): Promise<Status> {
  return (await (await ask(url)).json()) as Status;
}

/** Asks until a task has ended, as a client would; the test's own time-out bounds it. */
async function outcome(url: string): Promise<Status> {
  for (;;) {
    const seen = await status(url);
    if (seen.isComplete) return seen;
    await pause(LOOK_MS);
  }
}

const csv = new FormData();
csv.append('file', new Blob(['a,b\n1,x\n2,y\n']), 'small.csv');

const engines = [
  ['sqlite', `sqlite:${join(folder, 'tasks.db')}`],
  ['redis', place.redis],
  ['postgres', place.postgres],
] as const;

it.each(engines)('a web process takes work and a worker process does it: %s', async (_name, engine) => {
  const web = new Program('main.js', { FLOWRRA_ENGINE: engine, FLOWRRA_ROLE: 'producer' });
  const url = await web.address();
  const user = await post(`${url}/users`, { email: 'bob@flaky.test', name: 'Bob' });
  const dataset = await post(`${url}/datasets`, csv);
  const report = await post(`${url}/reports/primes`, { below: 100_000 });
  for (const location of [user, dataset, report])
    expect(await status(url + location)).toMatchObject({ status: 'pending', retries: 0 });

  const worker = new Program('worker.js', { FLOWRRA_ENGINE: engine });
  expect(await outcome(url + user)).toMatchObject({ status: 'success', retries: 2 });
  expect(await outcome(url + dataset)).toMatchObject({
    status: 'success',
    result: { name: 'small.csv', rows: 2 },
  });
  expect(await outcome(url + report)).toMatchObject({
    status: 'success',
    result: { limit: 100_000, count: 9_592 },
  });

  expect(await worker.end('SIGTERM')).toBe('SIGTERM');
  expect(await status(url + report)).toMatchObject({ status: 'success' });
  expect(await web.end('SIGTERM')).toBe('SIGTERM');
});

it.each(engines)(
  'from two web processes: one job of a key, progress, cancelling, pausing, of what the worker process does: %s',
  async (_name, engine) => {
    const web = new Program('main.js', { FLOWRRA_ENGINE: engine, FLOWRRA_ROLE: 'producer' });
    const other = new Program('main.js', { FLOWRRA_ENGINE: engine, FLOWRRA_ROLE: 'producer' });
    const url = await web.address();
    const urls = [url, await other.address()];
    const worker = new Program('worker.js', { FLOWRRA_ENGINE: engine });
    // They take more than seven minutes: it is cancelled meanwhile, however busy the machine.
    const to = Array<string>(9_000).fill('s@x.io');
    const posted = await Promise.all(
      Array.from({ length: 50 }, (_, n) => post(`${urls[n % 2]}/newsletters`, { subject: 'News', to })),
    );
    expect(new Set(posted).size).toBe(1);
    const [newsletter] = posted.map((location) => urls[1] + location) as [string];
    const isUnderWay = async (): Promise<boolean> => ((await status(newsletter)).progress?.sent ?? 0) > 0;
    await until(isUnderWay, { describe: 'the newsletter is under way' });
    expect(await status(newsletter)).toMatchObject({ status: 'running', progress: { of: 9_000 } });
    const stream = new StreamedEvents(`${newsletter}/updates`);
    const updates: TaskUpdate[] = [];
    follow(stream, (update) => updates.push(update));
    const hasMoved = (): boolean => new Set(updates.map(({ progress }) => JSON.stringify(progress))).size > 1;
    await until(hasMoved, { describe: 'the stream shows progress' });
    expect((await ask(newsletter, { method: 'DELETE' })).status).toBe(202);
    await stream.ended;
    expect(updates.at(-1)).toMatchObject({ status: 'cancelled', error: 'Cancelled by its user' });
    expect(await outcome(newsletter)).toMatchObject({
      status: 'cancelled',
      error: 'Cancelled by its user',
    });

    expect((await ask(`${url}/queues/default/pause`, { method: 'POST' })).status).toBe(204);
    const user = url + (await post(`${url}/users`, { email: 'ada@example.com', name: 'Ada' }));
    // What is submitted to another queue afterwards is done, and this is not.
    const report = url + (await post(`${url}/reports/primes`, { below: 100 }));
    expect(await outcome(report)).toMatchObject({ status: 'success' });
    expect(await status(user)).toMatchObject({ status: 'pending' });
    expect((await ask(`${url}/queues/default/resume`, { method: 'POST' })).status).toBe(204);
    expect(await outcome(user)).toMatchObject({ status: 'success' });
    await worker.end('SIGTERM');
    await Promise.all([web, other].map((program) => program.end('SIGTERM')));
  },
);

it('a worker that nobody could reach says so, and does not wait for ever', async () => {
  for (const env of [
    { FLOWRRA_ENGINE: 'memory:' },
    { FLOWRRA_ENGINE: 'sqlite:x', FLOWRRA_ROLE: 'producer' },
  ]) {
    const worker = new Program('worker.js', env);
    expect(await worker.closed).toEqual([1, null]);
    expect(worker.printed).toContain('A worker needs an engine that the web server shares');
  }
});
