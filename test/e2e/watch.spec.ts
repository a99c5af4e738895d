import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServices } from '../../scripts/services/services.mjs';
import type { Engine, TaskUpdate } from '../../lib/index.js';
import { bullmq } from '../../lib/engine/bullmq/index.js';
import { startApp, type TestApp } from '../support/app.js';
import { compileFixtures } from '../support/fixtures.js';
import { Gate } from '../support/gate.js';
import { ownPlace } from '../support/own-place.js';
import { DRIVER, sqliteEngine, tempFile } from '../support/sqlite.js';

const here = dirname(fileURLToPath(import.meta.url));
const fixtures = compileFixtures(join(here, 'fixtures'), 'watch');
const services = await startServices();
const place = await ownPlace(services, 9);
const workers = new Set<ChildProcess>();
const apps: TestApp[] = [];

// Here, so that a test which fails leaves nothing running behind it.
afterEach(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  for (const { app } of apps.splice(0)) await app.close();
});
afterAll(async () => {
  await place.remove();
  await services.stop();
});

/** A process that runs the jobs of the store. */
function startWorker(store: string, name: string, ends: boolean): ChildProcess {
  const settings = JSON.stringify({ store, driver: DRIVER, name, ends });
  const worker = spawn(process.execPath, ['--no-warnings', join(fixtures, 'watched-worker.js'), settings], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  workers.add(worker);
  worker.once('close', () => workers.delete(worker));
  return worker;
}

const file = tempFile('watched');
const engines: readonly (readonly [string, string, () => Engine])[] = [
  ['sqlite', file, () => sqliteEngine({ file })],
  ['redis', place.redis, () => bullmq({ connection: place.redis })],
  ['postgres', place.postgres, () => bullmq({ connection: place.postgres })],
];

it.each(engines)(
  'a job is watched from another process, also when its worker is killed: %s',
  async (_name, store, engine) => {
    const started = await startApp({
      engine: engine(),
      role: 'producer',
      remoteTasks: { 'Work.report': {} },
    });
    apps.push(started);
    const { flowrra } = started;
    const updates: TaskUpdate[] = [];
    const [first, ended] = [new Gate(), new Gate()];
    flowrra.watch(await flowrra.submit('Work.report')).subscribe({
      next(update) {
        updates.push(update);
        if (update.progress !== null) first.open();
      },
      error: ended.fail,
      complete: ended.open,
    });

    const killed = startWorker(store, 'the first', false);
    await Promise.race([first.passed, ended.passed]);
    expect(updates.at(-1)).toMatchObject({ status: 'running', progress: { by: 'the first' } });
    killed.kill('SIGKILL');
    await once(killed, 'close');
    const rescuer = startWorker(store, 'the second', true);
    await ended.passed;
    expect(updates[0]).toMatchObject({ status: 'pending', logs: [] });
    expect(updates.at(-1)).toMatchObject({
      status: 'success',
      result: 'ended by the second',
      progress: { by: 'the second' },
      retries: 0,
    });
    const lines = updates.flatMap(({ logs }) => logs.map(({ line }) => line));
    expect(lines).toEqual(['begun by the first', 'begun by the second']);
    rescuer.kill('SIGKILL');
    await once(rescuer, 'close');
  },
);
