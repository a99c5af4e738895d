import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from '../../sample-app/quick-start.js';
import { idempotent, ReceiptTasks, results, submitting } from '../../sample-app/snippets.js';
import * as flowrraErrors from '../../lib/core/errors.js';
import { startApp } from '../support/app.js';
import { ManualClock } from '../support/manual-clock.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const scripts = Object.keys(
  (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts,
);

/** Formatting may differ; words may not. */
const squeeze = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

const snippets = [...readme.matchAll(/```ts\n\/\/ (\S+?)(?:#(\S+))?\n(.*?)```/gs)].map(
  ([, file, region, code]) => ({
    file: file as string,
    region,
    code: squeeze(code as string),
  }),
);

it('names a file for every snippet of TypeScript', () => {
  expect(snippets.length).toBe([...readme.matchAll(/```ts\n/g)].length);
  expect(snippets.length).toBeGreaterThan(8);
});

it.each(snippets)('shows $file as it is', ({ file, region, code }) => {
  const source = readFileSync(join(root, file), 'utf8');
  const part =
    region === undefined ? source : (source.split(`#region ${region}\n`)[1]?.split('#endregion')[0] ?? '');
  expect(squeeze(part)).toContain(code);
});

it('names commands that exist', () => {
  const named = [...readme.matchAll(/npm (?:run )?([a-z:]+)/g)]
    .map(([, name]) => name as string)
    .filter((name) => !['ci', 'install'].includes(name));
  expect(named).toEqual(expect.arrayContaining(['test', 'start', 'demo', 'bench']));
  for (const name of named) expect(scripts).toContain(name);
});

it('lists every error with its code', () => {
  for (const [name, type] of Object.entries(flowrraErrors)) {
    if (name === 'FlowrraError') continue;
    expect(readme).toContain(`\`${name}\``);
    expect(typeof type).toBe('function');
  }
});

it('lists every option', () => {
  for (const file of ['module-options', 'task-options']) {
    const source = readFileSync(join(root, `lib/options/${file}.ts`), 'utf8');
    for (const [, name] of source.matchAll(/^ {2}(\w+)\??:/gm))
      expect(readme).toMatch(new RegExp(`\\b${name}\\b`));
  }
});

it('starts quickly, as the quick start says', async () => {
  const app = await main(0);
  const url = (await app.getUrl()).replace('[::1]', 'localhost');
  const { taskId } = (await (await fetch(`${url}/users/ada`, { method: 'POST' })).json()) as {
    taskId: string;
  };
  const { FlowrraService } = await import('flowrra');
  const { result } = await app.get(FlowrraService).waitForResult(taskId);
  expect(result).toEqual({ messageId: '42' });
  expect(await (await fetch(`${url}/tasks/${taskId}`)).json()).toMatchObject({
    status: 'success',
    isSuccess: true,
  });
  await app.close();
});

it('runs what it shows of submitting and of results', async () => {
  const clock = new ManualClock();
  const { app, flowrra } = await startApp({ clock }, { providers: [ReceiptTasks] });
  const receipts = app.get(ReceiptTasks);
  expect(await idempotent(flowrra, receipts)).toBe('order-42-receipt');
  expect(await idempotent(flowrra, receipts)).toBe('order-42-receipt');
  expect(await submitting(flowrra, receipts)).toHaveLength(3);
  expect(await results(flowrra, receipts)).toEqual({ sentAt: expect.any(Date) });
  await clock.advance(300_000);
  expect([...receipts.sent].sort()).toEqual([
    'order-1',
    'order-2',
    'order-3',
    'order-4',
    'order-42',
    'order-5',
    'order-6',
    'order-7',
  ]);
  await app.close();
});
