import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures, lastLine, runProgram } from '../support/fixtures.js';
import { DRIVER } from '../support/sqlite.js';
import { type Attempt, Duplicate } from '../../lib/job/job.js';
import { claim, newJob, openStore, submit } from './stores.js';

const here = dirname(fileURLToPath(import.meta.url));
const out = compileFixtures(join(here, 'fixtures'), `sqlite-${DRIVER.replace(':', '-')}`);
const folder = mkdtempSync(join(tmpdir(), 'flowrra-faults-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a fixture with its own file system of 3 MB (Linux: in a new namespace, without root). */
async function runOnSmallDisk(file: string): Promise<Record<string, unknown>> {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const script = 'mount -t tmpfs -o size=3m tmpfs "$1" && exec "$2" --no-warnings "$3" "$1" "$4"';
  const inNamespace = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
  const stdout = await runProgram('unshare', [...inNamespace, disk, process.execPath, file, DRIVER]);
  return lastLine(stdout) as Record<string, unknown>;
}

it('a full disk: submit rejects with the cause, accepted jobs run once there is room, outcomes are stored by retries', async () => {
  const report = await runOnSmallDisk(join(out, 'full-disk.js'));
  expect(report).toMatchObject({
    rejection: { code: 'FLOWRRA_ENGINE', message: expect.stringMatching(/the disk is full. Make room/) },
    again: 'FLOWRRA_ENGINE',
    result: 'stored by a retry',
    lengths: [50_000],
    ranOnceEach: true,
  });
  expect(report['accepted']).toBeGreaterThan(5);
});

it('an exceeded quota: submit rejects with advice, and accepted jobs are kept', async () => {
  const file = join(folder, 'limited.db');
  // In blocks of 512 bytes. The limit of the shell also holds for the program that replaces it.
  const script = 'ulimit -f 2000 && exec "$1" --no-warnings "$2" "$3" "$4"';
  const args = ['-c', script, 'sh', process.execPath, join(out, 'limited-file.js'), file, DRIVER];
  const { rejection, accepted } = lastLine(await runProgram('sh', args)) as Record<string, unknown>;
  expect(rejection).toMatchObject({
    code: 'FLOWRRA_ENGINE',
    message: expect.stringMatching(/limited\.db: the disk could not be.*quota/),
  });
  expect(accepted).toBeGreaterThan(5);
  const { store } = await openStore({ file });
  expect(store.pendingCount()).toBe(accepted);
});

it('a file that is not writable is rejected at the start, with advice', async () => {
  const file = join(folder, 'read-only.db');
  const { store } = await openStore({ file });
  await store.close();
  chmodSync(file, 0o444);
  chmodSync(folder, 0o555);
  // In a new user namespace, a process of root has only the rights of the file's owner.
  const args = ['--user', process.execPath, '--no-warnings', join(out, 'read-only.js'), file, DRIVER];
  const stdout = await runProgram('unshare', args);
  chmodSync(folder, 0o755);
  expect(lastLine(stdout)).toEqual({
    code: 'FLOWRRA_ENGINE',
    message: expect.stringMatching(/not writable. Check the owner of both/),
  });
});

it('completed operations survive a kill of their process right afterwards', async () => {
  const file = join(folder, 'operated.db');
  const worker = await openStore({ file, pollInterval: 60_000 });
  const [running, waiting] = [await submit(worker), await submit(worker)];
  const [attempt] = await claim(worker);
  const args = ['--no-warnings', join(out, 'operator.js'), file, DRIVER, running, waiting];
  const operator = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = (await once(operator.stdout, 'data')) as [Buffer];
  operator.kill('SIGKILL');
  await once(operator, 'close');
  const { cancelled, keyed } = JSON.parse(output.toString()) as { cancelled: boolean[]; keyed: string };
  expect(cancelled).toEqual([true, true]);

  const { store, clock } = await openStore({ file });
  expect(store.results.get(waiting)).toMatchObject({ status: 'cancelled', error: 'by the operator' });
  expect(store.control.counts()).toMatchObject([{ queue: 'q', paused: true, pending: 1, running: 1 }]);
  const again = newJob({ dedupe: { key: 'task/once', mode: 'ignore', ttl: 0 } });
  expect(await store.insert(again, clock.now())).toEqual(new Duplicate(keyed));
  expect(await claim(worker)).toEqual([]);
  await worker.store.settle(attempt as Attempt, { kind: 'released', delay: 0 }, worker.clock.now());
  expect(store.results.get(running)).toMatchObject({ status: 'cancelled', error: 'by the operator' });
});
