import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { EngineError, Task } from 'flowrra';
import { startApp, type TestApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { ManualClock } from '../support/manual-clock.js';
import { DirectoryEngine } from './directory-engine.js';

@Injectable()
class Tasks {
  readonly gate = new Gate<string>();

  @Task({ name: 'hold' })
  hold(): Promise<string> {
    return this.gate.passed;
  }

  @Task({ name: 'echo' })
  echo(value: unknown): unknown {
    return value;
  }
}

const opened: (TestApp & { clock: ManualClock })[] = [];
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flowrra-directory-'));
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const { app, flowrra, clock } of opened.splice(0)) {
    const stopped = flowrra.stop({ wait: false });
    await clock.advance(60_000);
    await stopped;
    await app.close();
  }
  rmSync(root, { recursive: true, force: true });
});

async function start(path = join(root, 'jobs')) {
  const clock = new ManualClock();
  const bed = await startApp({ engine: new DirectoryEngine(path), clock }, { providers: [Tasks] });
  opened.push({ ...bed, clock });
  return { ...bed, clock, gate: bed.app.get(Tasks).gate };
}

/** The directory as a crash leaves it now. */
function crashed(copy: string): string {
  const path = join(root, copy);
  cpSync(join(root, 'jobs'), path, { recursive: true });
  writeFileSync(join(path, 'lock'), '0');
  writeFileSync(join(path, '7.json.tmp'), '{"half":');
  return path;
}

it('a crash loses no job: those that ran run again, and fail after too many crashes', async () => {
  const { flowrra, clock, gate } = await start();
  const id = await flowrra.submit('hold');
  await clock.advance(0);
  const path = crashed('again');
  gate.open('first');

  const second = await start(path);
  second.gate.open('second');
  expect(await second.flowrra.waitForResult(id)).toMatchObject({ result: 'second', retries: 0 });
  expect(readdirSync(path).filter((name) => name.endsWith('.tmp'))).toEqual([]);

  const deadly = crashed('deadly');
  const file = join(deadly, '1.json');
  const job = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...job, status: 'running', finishedAt: null, deaths: 3 }));
  const third = await start(deadly);
  expect(await third.flowrra.waitForResult(id)).toMatchObject({
    status: 'failed',
    errors: [{ code: 'FLOWRRA_TASK_LOST' }],
  });
});

it('refuses a directory that a process uses, and a file that it cannot read', async () => {
  await start();
  await expect(start()).rejects.toThrow(EngineError);
  await expect(start()).rejects.toThrow(`the process ${process.pid} uses it`);
  const path = crashed('broken');
  writeFileSync(join(path, '9.json'), '{"taskId":');
  await expect(start(path)).rejects.toThrow(/job file .*9\.json cannot be read/);
  rmSync(join(path, '9.json'));
  await start(path);
});

it('rejects submissions that cannot be written, and stores an outcome when that is possible again', async () => {
  const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  const { flowrra, clock, gate } = await start();
  const id = await flowrra.submit('hold');
  await clock.advance(0);
  const path = join(root, 'jobs');
  // The names of the next temporary files are taken, by directories: that holds for root, too.
  const taken = ['1', '2'].map((name) => join(path, `${name}.json.tmp`));
  for (const name of taken) cpSync(mkdtempSync(join(root, 'empty-')), name, { recursive: true });
  await expect(flowrra.submit('echo', 1)).rejects.toThrow(EngineError);
  gate.open('kept');
  await clock.advance(500);
  expect(await flowrra.getResult(id)).toMatchObject({ status: 'running' });
  expect(logged).toHaveBeenCalledTimes(1);
  for (const name of taken) rmSync(name, { recursive: true });
  await clock.advance(1_000);
  expect(await flowrra.getResult(id)).toMatchObject({ status: 'success', result: 'kept' });
});

it('stores all jobs of a batch or none', async () => {
  const { flowrra, clock } = await start();
  const path = join(root, 'jobs');
  const taken = join(path, '3.json.tmp');
  cpSync(mkdtempSync(join(root, 'empty-')), taken, { recursive: true });
  const dedupe = { key: 'k', mode: 'throttle', ttl: '1h' } as const;
  const batch = flowrra.submitMany('echo', [{ args: [1], dedupe }, [2], [3]]);
  await expect(batch).rejects.toThrow(EngineError);
  expect(await flowrra.pendingCount()).toBe(0);
  expect(readdirSync(path).filter((name) => name.endsWith('.json'))).toEqual([]);
  const id = await flowrra.with({ dedupe }).submit('echo', 4);
  await clock.advance(0);
  expect(await flowrra.getResult(id)).toMatchObject({ result: 4 });
});
