import { readFileSync } from 'node:fs';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraService, OnTask } from 'flowrra';
import { currentTask } from 'flowrra/current-task';
import request from 'supertest';
import { MeasuredModule } from '../../sample-app/metrics.js';
import { ReceiptTasks } from '../../sample-app/snippets.js';
import { until } from '../support/until.js';
import { section } from './documents.js';

function firstColumn(heading: string): string[] {
  return [...section(heading).matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name]) => name as string);
}

let app: INestApplication;
afterEach(() => app?.close());

it('shows Prometheus every metric that it lists, and no other', async () => {
  app = await NestFactory.create(MeasuredModule, { logger: false });
  await app.init();
  const flowrra = app.get(FlowrraService);
  flowrra.register({ name: 'flaky', maxRetries: 1, retryDelay: 0 }, () => {
    throw new Error('as expected');
  });
  await flowrra.waitForResult(await flowrra.tasks(ReceiptTasks).sendReceipt('order-1'));
  await flowrra.waitForResult(await flowrra.submit('flaky'));
  flowrra.register({ name: 'durable' }, async () => {
    await currentTask()?.step('count', () => 1);
    await currentTask()?.sleep('a moment', '10ms');
  });
  await flowrra.waitForResult(await flowrra.submit('durable'));
  let end = (): void => undefined;
  flowrra.register({ name: 'slow' }, () => new Promise<void>((resolve) => (end = resolve)));
  await flowrra.schedules.set('slow', { every: '1s' }, 'slow');
  await until(async () => ((await flowrra.schedules.get('slow'))?.counts.overlapped ?? 0) > 0, {
    describe: 'an occurrence has been skipped',
  });
  end();
  const { text } = await request(app.getHttpServer()).get('/metrics').expect(200);
  const shown = [...text.matchAll(/^# TYPE (flowrra_\w+) /gm)].map(([, name]) => name as string);
  const listed = firstColumn('Traces and metrics').map((name) => name.replaceAll('.', '_'));
  expect(listed).toHaveLength(10);
  expect(shown.map((name) => name.replace(/_(?:total|seconds)$/, '')).sort()).toEqual(listed.sort());
  expect(text).toMatch(
    /^flowrra_jobs_finished_total\{.*flowrra_task_name="ReceiptTasks.sendReceipt",flowrra_status="success".*\} 1/m,
  );
});

it('lists the limits of a health check, and no other', () => {
  const source = readFileSync(new URL('../../lib/health/health-limits.ts', import.meta.url), 'utf8');
  const [, body] = /interface FlowrraHealthOptions \{\n(.*?)\n\}/s.exec(source) ?? [];
  const options = [...(body ?? '').matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name);
  expect(options).toHaveLength(9);
  expect(firstColumn('Health checks')).toEqual(options);
});

it('lists every event, and no other', () => {
  // The error of an unknown type names all types.
  const { message } = thrownBy(() => OnTask('unknown' as 'failed')({}, 'method', { value: () => undefined }));
  const types = /Known: (.*)\.$/.exec(message)?.[1]?.split(', ') ?? [];
  expect(types.length).toBeGreaterThan(10);
  // The former name of one event stands in the text, not in the table.
  const named = new Set(types.map((type) => (type === 'redriven' ? 'requeued' : type)));
  expect(firstColumn('Events').sort()).toEqual([...named].sort());
  expect(section('Events')).toContain('`redriven` is the deprecated name of `requeued`');
});

function thrownBy(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown.');
}
