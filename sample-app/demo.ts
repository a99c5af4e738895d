import 'reflect-metadata';
import './config/time-lapse.js';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { settings } from './config/settings.js';
import type { Summary } from './datasets/column-summary.js';

// Drives the whole sample over HTTP, on a free port, and prints what happened. It ends with 1 if any
// step differs from what it should be, or if all of them together take too long.

interface Status {
  status: string;
  result: unknown;
  error: string | null;
  retries: number;
  errors: { attempt: number; message: string }[];
}

const LIMIT_MS = 20_000;

const started = performance.now();
const deadline = AbortSignal.timeout(LIMIT_MS);
const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
await app.listen(0, '127.0.0.1');
const url = await app.getUrl();

function say(step: string, what: string): void {
  console.log(`${`${Math.round(performance.now() - started)} ms`.padStart(8)}  ${step.padEnd(26)} ${what}`);
}

function expect(condition: boolean, what: string, seen: unknown): void {
  if (!condition) throw new Error(`${what}, but saw ${JSON.stringify(seen)}`);
}

async function post(path: string, body: unknown): Promise<{ status: number; location: string }> {
  const form = body instanceof FormData;
  const response = await fetch(url + path, {
    method: 'POST',
    signal: deadline,
    ...(form ? { body } : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, location: response.headers.get('location') ?? '' };
}

/** Asks for a task's status, as a client would, until it is final. */
async function outcome(location: string): Promise<Status> {
  for (;;) {
    const status = (await (await fetch(url + location, { signal: deadline })).json()) as Status & {
      isComplete: boolean;
    };
    if (status.isComplete) return status;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** How many a newsletter has been sent to, once it says so. */
async function progressed(location: string): Promise<number> {
  for (;;) {
    const { progress } = (await (await fetch(url + location, { signal: deadline })).json()) as {
      progress: { sent: number } | null;
    };
    if (progress !== null && progress.sent > 0) return progress.sent;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The status of an order that waits for its approval. */
async function suspended(location: string): Promise<string> {
  for (;;) {
    const { status } = (await (await fetch(url + location, { signal: deadline })).json()) as Status;
    if (status === 'suspended') return status;
    expect(status === 'pending' || status === 'running', 'the order should wait for its approval', status);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function register(email: string, name: string): Promise<Status> {
  const { status, location } = await post('/users', { email, name });
  expect(status === 202, 'POST /users should answer 202', status);
  return outcome(location);
}

try {
  // Without the rest of the URL, which may hold a password.
  console.log(`The sample application listens on ${url}; its engine: ${settings.engine.split(':')[0]}\n`);
  const primes = await post('/reports/primes', { below: 5_000_000 });
  say('POST /reports/primes', `${primes.status}, a CPU-bound report runs in a thread: ${primes.location}`);

  const welcome = await register('ada@example.com', 'Ada');
  expect(welcome.status === 'success', 'the welcome e-mail should be sent', welcome);
  say('welcome e-mail', `${welcome.status}, message ${(welcome.result as { messageId: string }).messageId}`);

  const flaky = await register('bob@flaky.test', 'Bob');
  expect(
    flaky.status === 'success' && flaky.retries === 2,
    'the flaky server should need two retries',
    flaky,
  );
  say('flaky mail server', `${flaky.status} after ${flaky.retries} retries:`);
  for (const { attempt, message } of flaky.errors) say('', `attempt ${attempt} failed: ${message}`);

  const invalid = await register('eve@invalid.test', 'Eve');
  expect(
    invalid.status === 'failed' && invalid.retries === 0,
    'an invalid address should fail at once',
    invalid,
  );
  say('address that cannot exist', `${invalid.status}, not tried again: ${invalid.error}`);

  const csv = join(createRequire(import.meta.url).resolve('vega-datasets'), '../../data/seattle-weather.csv');
  const form = new FormData();
  form.append('file', new Blob([await readFile(csv)]), 'seattle-weather.csv');
  const upload = await post('/datasets', form);
  const { result, status } = await outcome(upload.location);
  const summary = result as Summary;
  expect(
    status === 'success' && summary.rows === 1461,
    'four years of weather should have 1461 rows',
    result,
  );
  say('CSV upload', `${summary.name}: ${summary.rows} rows`);
  for (const { name, type, min, max, mean } of summary.columns) {
    say(
      '',
      `${name.padEnd(14)} ${type.padEnd(7)} ${String(min)} to ${String(max)}${mean === null ? '' : `, mean ${mean}`}`,
    );
  }

  const to = Array.from({ length: 200 }, (_, n) => `subscriber-${n}@example.com`);
  const newsletter = await post('/newsletters', { subject: 'News', to });
  const again = await post('/newsletters', { subject: 'News', to });
  expect(again.location === newsletter.location, 'asking twice should send one newsletter', again);
  const sent = await progressed(newsletter.location);
  say('POST /newsletters, twice', `one job; while it runs, its progress is ${sent} of ${to.length}`);
  await fetch(url + newsletter.location, { method: 'DELETE', signal: deadline });
  const cancelled = await outcome(newsletter.location);
  expect(cancelled.status === 'cancelled', 'the newsletter should have been cancelled', cancelled);
  say('DELETE, while it runs', `${cancelled.status}: ${cancelled.error}`);

  await fetch(`${url}/queues/default/pause`, { method: 'POST', signal: deadline });
  const paused = await post('/users', { email: 'cy@example.com', name: 'Cy' });
  const counts = (await (await fetch(`${url}/queues`, { signal: deadline })).json()) as {
    queue: string;
    pending: number;
    paused: boolean;
  }[];
  const waiting = counts.find(({ queue }) => queue === 'default');
  expect(waiting?.paused === true && waiting.pending === 1, 'the paused queue should hold one job', counts);
  await fetch(`${url}/queues/default/resume`, { method: 'POST', signal: deadline });
  const resumed = await outcome(paused.location);
  expect(resumed.status === 'success', 'the job should run once its queue is resumed', resumed);
  say('queue paused and resumed', `1 job waited, then ${resumed.status}`);

  const triggered = await post('/schedules/ReportTasks.daily/trigger', {});
  const made = await outcome(triggered.location);
  expect(made.status === 'success', 'the report of the day should be made at once', made);
  const schedule = (await (
    await fetch(`${url}/schedules/ReportTasks.daily`, { signal: deadline })
  ).json()) as { next: string; counts: { submitted: number } };
  expect(schedule.counts.submitted === 1, 'the schedule should have submitted one job', schedule);
  say('schedule, triggered', `${String(made.result)}; the next one is due at ${schedule.next}`);

  const id = `demo${Date.now()}`;
  const order = await post('/orders', { id, email: 'ada@example.com', amount: 30 });
  say('POST /orders', `charged, then ${await suspended(order.location)} for its approval`);
  const approval = await post(`/orders/${id}/approval`, { approved: true, by: 'Ada' });
  expect(approval.status === 204, 'the approval should be stored', approval);
  const shipped = await outcome(order.location);
  expect(shipped.status === 'success', 'the order should be shipped the next day', shipped);
  const { steps } = (await (await fetch(`${url}${order.location}/details`, { signal: deadline })).json()) as {
    steps: { kind: string; name: string; startedAt: string }[];
  };
  const first = Date.parse(steps[0]?.startedAt ?? '');
  for (const { kind, name, startedAt } of steps)
    say('', `${kind} '${name}', after ${Date.parse(startedAt) - first} ms`);
  say('order, a day in a second', (shipped.result as { parcel: string }).parcel);

  const refused = await post('/orders', { id: `${id}b`, email: 'bob@example.com', amount: 70 });
  await suspended(refused.location);
  await fetch(url + refused.location, { method: 'DELETE', signal: deadline });
  const refunded = await outcome(refused.location);
  const refund = (await (await fetch(`${url}${refused.location}/details`, { signal: deadline })).json()) as {
    steps: { status: string }[];
  };
  expect(
    refunded.status === 'cancelled' && refund.steps[0]?.status === 'undone',
    'the cancelled order should be refunded',
    refund,
  );
  say('DELETE, while it waits', `${refunded.status}, and its charge is ${refund.steps[0]?.status}`);

  const report = await outcome(primes.location);
  const { count } = report.result as { count: number };
  expect(count === 348_513, 'there are 348,513 primes below 5,000,000', report);
  say('CPU-bound report', `${report.status}, ${count} primes below 5,000,000`);

  const bad = await post('/users', { email: 'nobody', name: '' });
  const unknown = await fetch(`${url}/tasks/nobody-knows-it`, { signal: deadline });
  expect(bad.status === 400 && unknown.status === 404, 'bad input should give 400 and an unknown task 404', [
    bad.status,
    unknown.status,
  ]);
  say('bad input, unknown task', `${bad.status} and ${unknown.status}`);
  console.log('\nEverything went as it should.');
} catch (error) {
  const why = deadline.aborted ? `it was not done after ${LIMIT_MS / 1_000} s` : String(error);
  console.error(`\nThe demo failed: ${why}`);
  process.exitCode = 1;
} finally {
  await app.close();
}
