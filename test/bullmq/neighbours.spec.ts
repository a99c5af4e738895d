import { Injectable, Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { type FlowrraEvent, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { until } from '../support/until.js';
import { place, startOn } from './apps.js';
import { onBoth } from './on-both.js';

@Injectable()
class Mail {
  @Task({ maxRetries: 2, retryDelay: 1 })
  async send(to: unknown, @TaskCtx() { attempt }: TaskContext): Promise<unknown> {
    if (attempt < 3) throw new TypeError(`attempt ${attempt} fails`);
    return { to, attempt };
  }

  @Task({ name: 'sum' })
  sum(...numbers: number[]): number {
    return numbers.reduce((sum, n) => sum + n, 0);
  }

  @Task({ maxRetries: 1, retryDelay: 1 })
  bounce(): never {
    throw new RangeError('never to be delivered');
  }
}

await onBoth((server) => {
  describe('a job that a plain BullMQ producer has added', () => {
    it('runs with its data.args, or with its data as the one argument, and is retried by the policy of the task', async () => {
      const prefix = place();
      const { flowrra } = await startOn({ connection: server.url, prefix }, Mail);
      const queue = server.queue(prefix, 'default');
      const sum = await queue.add('sum', { args: [1, 2, 3] });
      expect(await flowrra.waitForResult(sum.id as string)).toMatchObject({ status: 'success', result: 6 });
      const mail = await queue.add('Mail.send', { address: 'ada@example.com' });
      expect(await flowrra.waitForResult(mail.id as string)).toMatchObject({
        status: 'success',
        retries: 2,
        result: { to: { address: 'ada@example.com' }, attempt: 3 },
      });
      const word = await queue.add('Mail.send', 'ada', { attempts: 1, jobId: 'by-hand' });
      expect(word.id).toBe('by-hand');
      expect(await flowrra.waitForResult('by-hand')).toMatchObject({ result: { to: 'ada', attempt: 3 } });
    });

    it('of an unknown task stays, and is reported once', async () => {
      const warned = jest.spyOn(Logger.prototype, 'warn');
      const prefix = place();
      const { flowrra } = await startOn({ connection: server.url, prefix }, Mail);
      const queue = server.queue(prefix, 'default');
      const strange = await queue.addBulk([
        { name: 'strange', data: 1 },
        { name: 'strange', data: 2 },
      ]);
      const known = await queue.add('sum', { args: [1] });
      await flowrra.waitForResult(known.id as string);
      await until(async () => (await queue.getDelayedCount()) === 2, { describe: 'both are delayed' });
      for (const job of strange)
        expect(await flowrra.getResult(job.id as string)).toMatchObject({ status: 'pending', retries: 0 });
      expect(warned.mock.calls.filter(([line]) => String(line).includes('strange'))).toHaveLength(1);
      warned.mockRestore();
    });
  });

  it('the error for a job of a queue that the application does not have names the queue', async () => {
    const common = { connection: server.url, prefix: place() };
    const remoteTasks = { report: { queue: 'reports' } };
    const there = await startOn(common, Mail, { role: 'producer', queues: { reports: {} }, remoteTasks });
    const here = await startOn(common, Mail, { role: 'producer' });
    const taskId = await there.flowrra.submit('report');
    await expect(here.flowrra.waitForResult(taskId)).rejects.toMatchObject({
      code: 'FLOWRRA_RESULT_NOT_FOUND',
      message: expect.stringMatching(/queue 'reports'.*the same queues/),
    });
  });

  it("BullMQ's own API shows Flowrra's jobs", async () => {
    const prefix = place();
    const { flowrra } = await startOn({ connection: server.url, prefix }, Mail);
    const queue = server.queue(prefix, 'default');
    const waiting = await flowrra.with({ delay: '1h', priority: 7 }).submit('sum', 1, 2);
    expect(await (await queue.getJob(waiting))?.getState()).toBe('delayed');
    expect(await queue.getJob(waiting)).toMatchObject({
      name: 'sum',
      data: { args: [1, 2] },
      opts: { priority: 7, delay: 3_600_000 },
    });

    const sum = await flowrra.submit('sum', 2, 3);
    await flowrra.waitForResult(sum);
    const summed = await queue.getJob(sum);
    expect(await summed?.getState()).toBe('completed');
    expect(summed).toMatchObject({ returnvalue: 5, attemptsMade: 1 });

    const bounced = await flowrra.submit('Mail.bounce');
    await flowrra.waitForResult(bounced);
    const failed = await queue.getJob(bounced);
    expect(await failed?.getState()).toBe('failed');
    expect(failed).toMatchObject({ failedReason: 'never to be delivered', attemptsMade: 2 });
    expect(failed?.stacktrace).toEqual([
      expect.stringMatching(/RangeError: never to be delivered\n.*bounce/),
      expect.stringMatching(/RangeError/),
    ]);
    expect(failed?.processedBy).toMatch(new RegExp(`-${process.pid}-`));
  });

  it('with fleetEvents, events$ emits each event of every process once', async () => {
    const prefix = place();
    const common = { connection: server.url, prefix };
    const web = await startOn({ ...common, fleetEvents: true }, Mail, { role: 'producer' });
    await startOn(common, Mail);
    const seen: FlowrraEvent[] = [];
    web.flowrra.events$.subscribe((event) => seen.push(event));
    const types = (taskId: string): string[] =>
      seen.filter((event) => event.taskId === taskId).map(({ type }) => type);
    const arrived = (taskId: string, type: string): Promise<void> =>
      until(() => types(taskId).includes(type), { describe: `${type} of ${taskId} has arrived` });

    const mine = await web.flowrra.submit('sum', 4, 5);
    await arrived(mine, 'succeeded');
    expect(types(mine).sort()).toEqual(['started', 'submitted', 'succeeded']);

    const theirs = await server.queue(prefix, 'default').add('Mail.bounce', { args: [] }, { priority: 3 });
    const taskId = theirs.id as string;
    await arrived(taskId, 'failed');
    expect(types(taskId)[0]).toBe('submitted');
    expect(seen.find((event) => event.taskId === taskId)).toMatchObject({
      priority: 3,
      taskName: 'Mail.bounce',
    });
    expect(seen.find((event) => event.type === 'failed')).toMatchObject({
      taskId,
      queue: 'default',
      attempt: 2,
      error: { name: 'RangeError', message: 'never to be delivered', at: expect.any(Date) },
    });
    expect(seen.find((event) => event.type === 'succeeded')).toMatchObject({ taskId: mine, attempt: 1 });
  });

  it('with fleetEvents, a worker emits the events of its own jobs once', async () => {
    const prefix = place();
    const { flowrra } = await startOn({ connection: server.url, prefix, fleetEvents: true }, Mail);
    const seen: string[] = [];
    flowrra.events$.subscribe(({ type }) => seen.push(type));
    await flowrra.waitForResult(await flowrra.submit('sum', 1));
    await flowrra.waitForResult(await flowrra.submit('sum', 1));
    // A job may start before its submitter has the answer.
    expect(seen.sort()).toEqual(['started', 'started', 'submitted', 'submitted', 'succeeded', 'succeeded']);
  });
});
