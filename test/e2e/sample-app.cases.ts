import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraService, type TaskUpdate } from 'flowrra';
import { filter, firstValueFrom } from 'rxjs';
import { SMTPServer } from 'smtp-server';
import request from 'supertest';
import { follow } from '../../sample-app/tasks/follow.js';
import { StreamedEvents } from '../support/event-source.js';
import { until } from '../support/until.js';

/** The sample as one process. Its settings are read once, so each engine needs a spec of its own. */
export function describeSample(engine: string): void {
  describe(`the sample on ${engine.split(':')[0]}`, () => sample(engine));
}

/** Whether a newsletter has gone out to somebody. */
function isUnderWay(progress: unknown): boolean {
  return (progress as { sent: number }).sent > 0;
}

function sample(engine: string): void {
  const uploads = mkdtempSync(join(tmpdir(), 'flowrra-e2e-'));
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
    process.env['UPLOADS'] = uploads;
    process.env['FLOWRRA_ENGINE'] = engine;
    process.env['SAMPLE_DAY'] = '50ms';
    // Read when the module is loaded, so the environment comes first.
    const { AppModule } = await import('../../sample-app/app.module.js');
    app = await NestFactory.create(AppModule, { logger: false });
    await app.init();
    flowrra = app.get(FlowrraService);
  });

  afterAll(async () => {
    await app.close();
    await new Promise<void>((resolve) => smtp.close(resolve));
    rmSync(uploads, { recursive: true, force: true });
    for (const name of ['SMTP_URL', 'FLOWRRA_CPU', 'UPLOADS', 'FLOWRRA_ENGINE', 'SAMPLE_DAY'])
      delete process.env[name];
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
    await flowrra.waitForResult(taskId);
    return request(app.getHttpServer()).get(location).expect(200);
  }

  it('says that all is well', async () => {
    const { body } = await request(app.getHttpServer()).get('/health').expect(200);
    expect(body).toMatchObject({ status: 'ok', details: { flowrra: { status: 'up', isRunning: true } } });
  });

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

  it('ships an approved order, and refunds a cancelled one', async () => {
    const http = request(app.getHttpServer());
    const order = { email: 'ada@example.com', amount: 30 };
    for (const id of ['e1', 'e2'])
      await http
        .post('/orders')
        .send({ ...order, id })
        .expect(202);
    await http.post('/orders/e1/approval').send({ approved: true, by: 'bob' }).expect(204);
    expect((await flowrra.waitForResult('order-e1')).result).toEqual({
      charge: 'order-e1/charge',
      parcel: 'parcel with label of e1',
    });
    await until(async () => (await flowrra.getResult('order-e2'))?.status === 'suspended', {
      describe: 'the second order waits for its approval',
    });
    await http.delete('/tasks/order-e2').expect(202);
    expect((await flowrra.waitForResult('order-e2')).status).toBe('cancelled');
    const { body } = await http.get('/tasks/order-e2/details').expect(200);
    expect(body.steps[0]).toMatchObject({ name: 'charge', status: 'undone' });
  });

  it('summarises an uploaded CSV as an independent count does', async () => {
    const file = join(
      createRequire(import.meta.url).resolve('vega-datasets'),
      '../../data/seattle-weather.csv',
    );
    const { taskId } = await accepted(request(app.getHttpServer()).post('/datasets').attach('file', file));
    const { result } = await flowrra.waitForResult(taskId);
    const [header, ...rows] = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.trim().split(','));
    const { columns, ...rest } = result as { columns: { name: string; mean: number | null }[] };
    expect(rest).toEqual({ name: 'seattle-weather.csv', rows: 1461 });
    expect(rows).toHaveLength(1461);
    expect(columns.map(({ name }) => name)).toEqual(header);
    for (const [index, column] of columns.entries()) {
      const values = rows.map((row) => row[index] as string);
      if (['date', 'weather'].includes(column.name)) {
        const sorted = [...values].sort();
        const type = column.name === 'date' ? 'date' : 'text';
        expect(column).toMatchObject({ type, missing: 0, min: sorted[0], max: sorted.at(-1), mean: null });
      } else {
        const numbers = values.map(Number);
        const [min, max] = [Math.min(...numbers), Math.max(...numbers)];
        expect(column).toMatchObject({ type: 'number', missing: 0, min, max });
        expect(column.mean).toBeCloseTo(numbers.reduce((sum, value) => sum + value, 0) / numbers.length, 2);
      }
    }
  });

  it('counts empty and blank cells as missing', async () => {
    const csv = Buffer.from('a,b\n1,x\n  ,y\n,z\n4,\n');
    const { taskId } = await accepted(
      request(app.getHttpServer()).post('/datasets').attach('file', csv, 'gaps.csv'),
    );
    const columns = [
      { name: 'a', type: 'number', missing: 2, min: 1, max: 4, mean: 2.5 },
      { name: 'b', type: 'text', missing: 1, min: 'x', max: 'z', mean: null },
    ];
    expect((await flowrra.waitForResult(taskId)).result).toEqual({ name: 'gaps.csv', rows: 4, columns });
  });

  it('tries a file that cannot be read again, and the process survives it', async () => {
    const { DatasetTasks } = await import('../../sample-app/datasets/dataset.tasks.js');
    const submission = flowrra.with({ retryDelay: 1 });
    const taskId = await submission
      .tasks(DatasetTasks)
      .summarise(join(uploads, 'nowhere.csv'), 'nowhere.csv');
    expect(await flowrra.waitForResult(taskId)).toMatchObject({
      status: 'failed',
      retries: 1,
      error: expect.stringContaining('ENOENT'),
    });
  });

  it('fails a file that is no CSV, once', async () => {
    const { taskId } = await accepted(
      request(app.getHttpServer())
        .post('/datasets')
        .attach('file', Buffer.from('a,b\n1,2,3\n'), 'broken.csv'),
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

  it('sends a newsletter once, says how far it is, and ends it when asked to', async () => {
    const http = app.getHttpServer();
    // They take more than seven minutes: it is cancelled meanwhile, however busy the machine.
    const to = Array<string>(9_000).fill('s@x.io');
    const progressed = firstValueFrom(
      flowrra.events$.pipe(filter((event) => event.type === 'progress' && isUnderWay(event.progress))),
    );
    const { taskId, location } = await accepted(
      request(http).post('/newsletters').send({ subject: 'News', to }),
    );
    expect(await accepted(request(http).post('/newsletters').send({ subject: 'News', to }))).toEqual({
      taskId,
      location,
    });
    await progressed;
    const { body } = await request(http).get(location).expect(200);
    expect(body).toMatchObject({ status: 'running', progress: { of: 9_000 } });
    await request(http).delete(location).expect(202);
    expect(await flowrra.waitForResult(taskId)).toMatchObject({
      status: 'cancelled',
      error: 'Cancelled by its user',
    });
    await request(http).delete(location).expect(409);
    await request(http).delete('/tasks/nobody-knows-it').expect(404);
    const few = await accepted(
      request(http)
        .post('/newsletters')
        .send({ subject: 'Few', to: ['a@example.com'] }),
    );
    expect(await flowrra.waitForResult(few.taskId)).toMatchObject({
      result: { sent: 1 },
      progress: { sent: 1, of: 1 },
    });
  });

  it('streams the updates of a newsletter to its end', async () => {
    await app.listen(0, '127.0.0.1');
    const { taskId, location } = await accepted(
      request(app.getHttpServer())
        .post('/newsletters')
        .send({ subject: 'Live', to: ['a@x.io', 'no address', 'b@x.io'] }),
    );
    const source = new StreamedEvents(`${await app.getUrl()}${location}/updates`);
    const shown: { update: TaskUpdate; lines: string[] }[] = [];
    follow(source, (update, lines) => shown.push({ update, lines: [...lines] }));
    expect(await source.ended).toBe('by the client');
    expect(shown.at(-1)).toMatchObject({
      update: { taskId, status: 'success', result: { sent: 3 }, progress: { sent: 3, of: 3 } },
      lines: [expect.stringContaining('no address: ')],
    });
    await request(app.getHttpServer()).get('/tasks/nobody-knows-it/updates').expect(404);
  });

  it('sends invoices that are valid, for tenants in good standing', async () => {
    const http = app.getHttpServer();
    const invoice = { number: 'R17', to: 'ada@example.com', amount: 12.5 };
    const send = (body: object) => request(http).post('/invoices').set('x-tenant', 'acme').send(body);
    const { taskId } = await accepted(send(invoice));
    expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success' });
    expect(mails.at(-1)?.text).toMatch(/From acme[^]*please pay 12\.50/);
    const refused = await send({ ...invoice, amount: -1 }).expect(400);
    expect(refused.body.message).toEqual(['amount must be a positive number']);
    const { Tenants } = await import('../../sample-app/invoices/tenants.js');
    app.get(Tenants).suspend('acme');
    const denied = await accepted(send(invoice));
    expect(await flowrra.waitForResult(denied.taskId)).toMatchObject({
      status: 'failed',
      retries: 0,
      errors: [{ code: 'FLOWRRA_FORBIDDEN' }],
    });
  });

  it('shows operators what failed and runs it again, and pauses a queue', async () => {
    const http = app.getHttpServer();
    const { body: eve } = await register('eva@invalid.test');
    const { body: failed } = await request(http).get('/queues/default/failed').expect(200);
    expect(failed.jobs).toContainEqual(
      expect.objectContaining({ taskId: eve.taskId, error: expect.stringContaining('cannot exist') }),
    );
    const { body: details } = await request(http).get(`/tasks/${eve.taskId}/details`).expect(200);
    expect(details.args).toEqual(['eva@invalid.test', 'Ada']);
    await request(http).post(`/tasks/${eve.taskId}/retry`).expect(202);
    expect((await flowrra.waitForResult(eve.taskId as string)).errors).toHaveLength(2);
    await request(http).post('/queues/default/pause').expect(204);
    const { taskId } = await accepted(
      request(http).post('/users').send({ email: 'dee@example.com', name: 'Dee' }),
    );
    const { body: counts } = await request(http).get('/queues').expect(200);
    expect(counts).toContainEqual(expect.objectContaining({ queue: 'default', paused: true, pending: 1 }));
    await request(http).post(`/tasks/${taskId}/retry`).expect(409);
    await request(http).post('/queues/default/resume').expect(204);
    expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success' });
    await request(http).post('/queues/nowhere/pause').expect(400);
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
}
