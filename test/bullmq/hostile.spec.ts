import { Injectable, Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { Task } from '../../lib/index.js';
import { until } from '../support/until.js';
import { place, startOn } from './apps.js';
import { onBoth } from './on-both.js';

/** Blocks the event loop, as a handler that computes for too long does. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

@Injectable()
class Hostile {
  runs = 0;
  atOnce = 0;
  mostAtOnce = 0;

  @Task({ maxRetries: 0 })
  fail(message: string, name: string, code: string): never {
    this.runs++;
    throw Object.assign(new Error(message), { name, code });
  }

  @Task({ maxRetries: 0 })
  echo(value: unknown): unknown {
    return value;
  }

  /** The first run blocks the process for longer than its lease, and then goes on for a while. */
  @Task({ maxRetries: 0 })
  async overrun(): Promise<number> {
    this.runs++;
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    if (this.runs === 1) {
      block(1_500);
      await pause(1_500);
    }
    this.atOnce--;
    return this.runs;
  }
}

await onBoth((server) => {
  it('an error whose message BullMQ obeys, or PostgreSQL cannot store, fails its job like any other', async () => {
    const hostile = new Hostile();
    const { flowrra } = await startOn(
      { connection: server.url, prefix: place() },
      { provide: Hostile, useValue: hostile },
    );
    for (const [message, name, code] of [
      ['bullmq:rateLimitExceeded', 'Error', 'E'],
      ['\0 \ud800', '\0', '\udfff'],
    ]) {
      const taskId = await flowrra.submit('Hostile.fail', message, name, code);
      expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'failed', retries: 0 });
    }
    expect(hostile.runs).toBe(2);
  });

  it('a chosen id that looks like an id of another queue is found', async () => {
    const { flowrra } = await startOn({ connection: server.url, prefix: place() }, Hostile, {
      queues: { other: {} },
    });
    const taskId = `b${'0'.repeat(13)}${'A'.repeat(16)}.other`;
    await flowrra.with({ taskId }).submit('Hostile.echo', 5);
    expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success', result: 5 });
  });

  it('overrides, errors and options that another program has written are checked', async () => {
    const prefix = place();
    const { flowrra } = await startOn({ connection: server.url, prefix }, Hostile);
    const queue = server.queue(prefix, 'default');
    const bad = await queue.add('Hostile.echo', { args: [1], overrides: { maxRetries: 'many' } });
    expect(await flowrra.waitForResult(bad.id as string)).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/maxRetries: 'many'/),
    });
    const odd = await queue.add('Hostile.echo', { args: [1], errors: [null, { at: 'x' }, 7] });
    const result = await flowrra.waitForResult(odd.id as string);
    expect(JSON.parse(JSON.stringify(result))).toMatchObject({ status: 'success', errors: [] });
    await queue.add('Hostile.echo', { args: [2] }, { removeOnComplete: { count: 0 } });
    const isIdle = async (): Promise<boolean> =>
      (await queue.getActiveCount()) + (await queue.getWaitingCount()) === 0;
    await until(isIdle, { describe: 'the third job is over' });
    expect(await flowrra.getResult(odd.id as string)).toMatchObject({ result: 1 });
  });

  it('a job whose lease ends while it runs here runs again after that run, not beside it', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const hostile = new Hostile();
    const { flowrra } = await startOn(
      { connection: server.url, prefix: place(), lease: '500ms' },
      { provide: Hostile, useValue: hostile },
    );
    const result = await flowrra.waitForResult(await flowrra.submit('Hostile.overrun'));
    expect(result.status).toBe('success');
    expect(hostile.mostAtOnce).toBe(1);
    warned.mockRestore();
  });
});
