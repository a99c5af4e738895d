import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraService } from 'flowrra';
import { SMTPServer } from 'smtp-server';
import request from 'supertest';

const mails: { to: string[]; text: string }[] = [];
let smtp: SMTPServer;
let app: INestApplication;
let flowrra: FlowrraService;

beforeAll(async () => {
  smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      stream.on('end', () => {
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), text });
        done();
      });
    },
  });
  const port = await new Promise<number>((resolve) => {
    const server = smtp.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
  process.env['SMTP_URL'] = `smtp://127.0.0.1:${port}`;
  process.env['FLOWRRA_CPU'] = 'inline';
  // Read when the module is loaded, so the environment comes first.
  const { AppModule } = await import('../../sample-app/app.module.js');
  app = await NestFactory.create(AppModule, { logger: false });
  await app.init();
  flowrra = app.get(FlowrraService);
});

afterAll(async () => {
  await app.close();
  await new Promise<void>((resolve) => smtp.close(resolve));
  delete process.env['SMTP_URL'];
  delete process.env['FLOWRRA_CPU'];
});

async function accepted(sent: request.Test): Promise<{ taskId: string; location: string }> {
  const response = await sent;
  expect(response.status).toBe(202);
  expect(response.headers['location']).toBe(`/tasks/${response.body.taskId}`);
  return { taskId: response.body.taskId as string, location: response.headers['location'] as string };
}

async function register(email: string): Promise<request.Response> {
  const { taskId, location } = await accepted(
    request(app.getHttpServer()).post('/users').send({ email, name: 'Ada' }),
  );
  await flowrra.waitForResult(taskId, { timeout: '10s' });
  return request(app.getHttpServer()).get(location).expect(200);
}

it('sends a welcome e-mail to a real SMTP server', async () => {
  const { body } = await register('ada@example.com');
  expect(body).toMatchObject({ taskName: 'EmailTasks.sendWelcome', status: 'success', retries: 0 });
  expect(mails).toHaveLength(1);
  expect(mails[0]?.to).toEqual(['ada@example.com']);
  expect(mails[0]?.text).toContain('Hello Ada');
});

it('shows retries, and a failure for good', async () => {
  const flaky = await register('bob@flaky.test');
  expect(flaky.body).toMatchObject({
    status: 'success',
    retries: 2,
    errors: [{ attempt: 1 }, { attempt: 2 }],
  });
  const invalid = await register('eve@invalid.test');
  expect(invalid.body).toMatchObject({
    status: 'failed',
    retries: 0,
    error: expect.stringContaining('cannot exist'),
  });
});

it('summarises an uploaded CSV as an independent count does', async () => {
  const file = join(
    createRequire(import.meta.url).resolve('vega-datasets'),
    '../../data/seattle-weather.csv',
  );
  const { taskId } = await accepted(request(app.getHttpServer()).post('/datasets').attach('file', file));
  const { result } = await flowrra.waitForResult(taskId);
  const rows = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));
  const winds = rows.map((row) => Number(row[4]));
  const summary = result as {
    rows: number;
    columns: { name: string; min: number; max: number; mean: number }[];
  };
  expect(summary.rows).toBe(rows.length);
  const wind = summary.columns.find(({ name }) => name === 'wind');
  expect(wind).toMatchObject({
    min: Math.min(...winds),
    max: Math.max(...winds),
    type: 'number',
    missing: 0,
  });
  expect(wind?.mean).toBeCloseTo(winds.reduce((sum, value) => sum + value, 0) / winds.length, 2);
});

it('fails a file that is no CSV, once', async () => {
  const { taskId } = await accepted(
    request(app.getHttpServer()).post('/datasets').attach('file', Buffer.from('a,b\n1,2,3\n'), 'broken.csv'),
  );
  expect(await flowrra.waitForResult(taskId)).toMatchObject({
    status: 'failed',
    retries: 0,
    error: expect.stringContaining('broken.csv is no CSV'),
  });
});

it('counts primes', async () => {
  const { taskId } = await accepted(
    request(app.getHttpServer()).post('/reports/primes').send({ below: 100_000 }),
  );
  expect((await flowrra.waitForResult(taskId)).result).toEqual({ limit: 100_000, count: 9_592 });
});

it('answers bad input with 400, and an unknown task with 404', async () => {
  const http = app.getHttpServer();
  for (const body of [
    {},
    { email: 'nobody', name: 'A' },
    { email: 'a@b.c', name: ' ' },
    { email: ['a@b.c'], name: 'A' },
  ]) {
    await request(http).post('/users').send(body).expect(400);
  }
  for (const below of ['many', 1, 1.5, 1e12, null])
    await request(http).post('/reports/primes').send({ below }).expect(400);
  await request(http).post('/datasets').expect(400);
  await request(http).get('/tasks/nobody-knows-it').expect(404);
  await request(http).get('/').expect(200);
});

it('answers 503 with Retry-After while it cannot take work', async () => {
  const { FlowrraErrorFilter } = await import('../../sample-app/tasks/flowrra-error.filter.js');
  const { QueueFullError, PayloadError } = await import('flowrra');
  const answered: unknown[] = [];
  const response = {
    setHeader: (...header: string[]) => answered.push(header),
    status: (code: number) => ({ json: () => answered.push(code) }),
  };
  const host = { switchToHttp: () => ({ getResponse: () => response }) } as never;
  new FlowrraErrorFilter().catch(new QueueFullError('full'), host);
  new FlowrraErrorFilter().catch(new PayloadError('args[0]', 'bad'), host);
  expect(answered).toEqual([['Retry-After', '5'], 503, 400]);
});
