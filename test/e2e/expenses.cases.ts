import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JobStep } from '../../lib/index.js';
import { compileFixtures } from '../support/fixtures.js';
import { DRIVER } from '../support/sqlite.js';
import { until } from '../support/until.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * The approval of an expense, whose process is killed while it waits.
 *
 * @param name Of the engine. @param store A file, or the URL of a server.
 */
export function expenseCases(name: string, store: string): void {
  const workflows = compileFixtures(join(root, 'sample-app/workflows'), `expenses-workflows-${name}`);
  const fixtures = compileFixtures(join(root, 'test/e2e/fixtures'), `expenses-${name}`);
  const folder = mkdtempSync(join(tmpdir(), 'flowrra-expenses-'));
  const ledger = join(folder, 'ledger');
  const running = new Set<ChildProcess>();

  // Here, so that a test which fails leaves nothing running behind it.
  afterEach(() => running.forEach((child) => child.kill('SIGKILL')));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Starts a process, and resolves with its address once it listens. */
  async function start(): Promise<{ url: string; kill(): Promise<unknown> }> {
    const settings = { store, driver: DRIVER, ledger, module: join(workflows, 'expenses.js') };
    const args = ['--no-warnings', join(fixtures, 'expenses-server.js'), JSON.stringify(settings)];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    running.add(child);
    const closed = once(child, 'close').then(([, signal]) => {
      running.delete(child);
      return signal as unknown;
    });
    const url = await Promise.race([once(child.stdout, 'data').then(String), closed]);
    if (typeof url !== 'string' || !url.startsWith('http'))
      throw new Error(`The process ended before it listened: ${String(url)}`);
    const kill = (): Promise<unknown> => {
      child.kill('SIGKILL');
      return closed;
    };
    return { url: url.trim(), kill };
  }

  async function post(url: string, body: object): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  async function steps(url: string): Promise<string[]> {
    const found = (await (await fetch(url)).json()) as JobStep[];
    return found.map((step) => `${step.name} ${step.status}`);
  }

  const lines = (): string[] => readFileSync(ledger, 'utf8').trim().split('\n');

  it('an expense whose process is killed while it waits for the approval is paid once by the next process', async () => {
    const first = await start();
    const answer = await post(`${first.url}/expenses`, { employee: 'ada', amount: 12.5 });
    expect(answer.status).toBe(201);
    const { taskId } = (await answer.json()) as { taskId: string };
    const isSuspended = async (): Promise<boolean> =>
      (await (await fetch(`${first.url}/status/${taskId}`)).text()) === 'suspended';
    await until(isSuspended, { describe: 'the expense waits for its approval' });
    expect(await steps(`${first.url}/expenses/${taskId}`)).toEqual(['ask done', 'decision waiting']);
    expect(await first.kill()).toBe('SIGKILL');

    const second = await start();
    expect(await steps(`${second.url}/expenses/${taskId}`)).toEqual(['ask done', 'decision waiting']);
    const decision = { approved: true, by: 'bob' };
    expect((await post(`${second.url}/expenses/${taskId}/decision`, decision)).status).toBe(204);
    const outcome = await fetch(`${second.url}/outcome/${taskId}`);
    expect(await outcome.json()).toMatchObject({ status: 'success', result: 'paid' });
    expect(lines()).toEqual([
      `mail to boss: POST /expenses/${taskId}/decision`,
      'pay 12.5 to ada',
      `mail to ada: bob has approved it: payment of ${taskId}/pay`,
    ]);
    await second.kill();
  });
}
