import { Injectable } from '@nestjs/common';
import {
  ExecutorNotRunningError,
  ExecutorStoppingError,
  Task,
  TaskContext,
  TaskCtx,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { type Beds, type EngineUnderTest, types } from './engine-under-test.js';

@Injectable()
class Stopped {
  readonly gate = new Gate<string>();
  reason: unknown;
  attempts: number[] = [];

  @Task()
  echo(value: unknown): unknown {
    return value;
  }

  @Task()
  hold(): Promise<string> {
    return this.gate.passed;
  }

  @Task({ maxRetries: 0 })
  interruptible(@TaskCtx() { signal, attempt }: TaskContext): Promise<string> {
    this.attempts.push(attempt);
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        this.reason = signal.reason;
        reject(new Error('interrupted'));
      });
    });
  }

  @Task({ maxRetries: 0 })
  finishesLate(@TaskCtx() { signal }: TaskContext): Promise<string> {
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve('just in time')));
  }
}

export function stopCases(beds: Beds, engine: EngineUnderTest): void {
  const loses = engine.cannot.includes('keep jobs');

  async function start() {
    const bed = await beds.start([Stopped], { numWorkers: 1 });
    return { ...bed, tasks: bed.app.get(Stopped) };
  }

  it('stop waits for what runs, and takes what a draining job submits', async () => {
    const { flowrra, tasks, advance } = await start();
    const submitted = new Gate<string>();
    flowrra.register({ name: 'parent' }, async () => {
      await tasks.gate.passed;
      submitted.open(await flowrra.submit(tasks.echo, 'follow-up'));
    });
    const id = await flowrra.submit('parent');
    await advance(0);
    const stopped = flowrra.stop();
    await advance(0);
    expect(flowrra.isRunning).toBe(false);
    tasks.gate.open('go');
    const followUp = await submitted.passed;
    await stopped;
    await flowrra.start();
    expect((await flowrra.waitForResult(id)).status).toBe('success');
    expect((await flowrra.waitForResult(followUp)).result).toBe('follow-up');
  });

  it('is idempotent, together and one after the other', async () => {
    const { flowrra } = await start();
    await Promise.all([flowrra.start(), flowrra.start()]);
    await Promise.all([flowrra.stop(), flowrra.stop()]);
    await flowrra.stop();
    expect(flowrra.isRunning).toBe(false);
    await Promise.all([flowrra.start(), flowrra.start()]);
    expect(flowrra.isRunning).toBe(true);
  });

  it('a start that is asked for during a stop comes after it, and the other way round', async () => {
    const { flowrra, tasks } = await start();
    await Promise.all([flowrra.stop(), flowrra.start()]);
    expect(flowrra.isRunning).toBe(true);
    expect((await flowrra.waitForResult(await flowrra.submit(tasks.echo, 1))).result).toBe(1);
    await Promise.all([flowrra.stop(), flowrra.start(), flowrra.stop()]);
    expect(flowrra.isRunning).toBe(false);
  });

  it('starts again after a stop, and runs again', async () => {
    const { flowrra, tasks } = await start();
    for (let round = 0; round < 3; round++) {
      expect((await flowrra.waitForResult(await flowrra.submit(tasks.echo, round))).result).toBe(round);
      await flowrra.stop();
      await flowrra.start();
    }
  });

  it('takes nothing after a stop', async () => {
    const { flowrra, tasks } = await start();
    await flowrra.stop();
    await expect(flowrra.submit(tasks.echo, 1)).rejects.toThrow(ExecutorNotRunningError);
    await expect(flowrra.submitMany(tasks.echo, [[1]])).rejects.toThrow(ExecutorNotRunningError);
    await expect(flowrra.tasks(Stopped).echo(1)).rejects.toThrow(ExecutorNotRunningError);
    await expect(flowrra.getResult('any')).rejects.toThrow(ExecutorNotRunningError);
    await expect(flowrra.pendingCount()).rejects.toThrow(ExecutorNotRunningError);
  });

  it('what was submitted just before is kept, or refused as not running; nothing is left in doubt', async () => {
    const { flowrra, tasks } = await start();
    const submitted = Array.from({ length: 300 }, (_, n) =>
      flowrra.submit(tasks.echo, n).catch((error: unknown) => error),
    );
    const stopped = flowrra.stop();
    const answers = await Promise.all(submitted);
    await stopped;
    await flowrra.start();
    for (const [n, answer] of answers.entries()) {
      if (typeof answer !== 'string') expect(answer).toBeInstanceOf(ExecutorNotRunningError);
      else expect((await flowrra.waitForResult(answer)).result).toBe(n);
    }
  });

  it('at its deadline it aborts what still runs, and that is no failed attempt', async () => {
    const { flowrra, tasks, advance, seen } = await start();
    const id = await flowrra.submit(tasks.interruptible);
    await advance(0);
    const stopped = flowrra.stop({ timeout: '10s' });
    await advance(9_999);
    expect(tasks.reason).toBeUndefined();
    await advance(1);
    await stopped;
    expect(tasks.reason).toBeInstanceOf(ExecutorStoppingError);
    expect(types(seen, id)).toEqual(['submitted', 'started', 'released']);
  });

  it('what ends within the grace after its abort counts', async () => {
    const { flowrra, tasks, advance } = await start();
    const id = await flowrra.submit(tasks.finishesLate);
    const waiting = flowrra.waitForResult(id);
    await advance(0);
    const stopped = flowrra.stop({ timeout: 0 });
    await advance(0);
    await stopped;
    expect((await waiting).result).toBe('just in time');
  });

  it('ends within its deadline whatever a task does, and what the task answers afterwards is ignored', async () => {
    const { flowrra, tasks, advance } = await start();
    const id = await flowrra.submit(tasks.hold);
    await advance(0);
    const stopped = flowrra.stop({ timeout: '10s' });
    await advance(60_000);
    await stopped;
    tasks.gate.open('too late');
    await advance(0);
    await flowrra.start();
    if (loses) expect(await flowrra.getResult(id)).toMatchObject({ status: 'cancelled', result: null });
    else expect((await flowrra.waitForResult(id)).result).toBe('too late');
  });

  if (loses) {
    it('runs what waits, and what comes due, before its deadline; the rest is lost, and says so', async () => {
      const { flowrra, tasks, advance } = await start();
      const ids = await flowrra.submitMany(
        tasks.echo,
        Array.from({ length: 20 }, (_, n) => [n]),
      );
      const soon = await flowrra.with({ delay: '5s' }).submit(tasks.echo, 'soon');
      const late = await flowrra.with({ delay: '1h' }).submit(tasks.echo, 'late');
      const waiter = flowrra.waitForResult(late);
      const stopped = flowrra.stop({ timeout: '10s' });
      await advance(10_000);
      await stopped;
      expect((await waiter).status).toBe('cancelled');
      await flowrra.start();
      for (const [n, id] of ids.entries()) expect((await flowrra.getResult(id))?.result).toBe(n);
      expect((await flowrra.getResult(soon))?.result).toBe('soon');
      expect(await flowrra.getResult(late)).toMatchObject({
        status: 'cancelled',
        error: expect.stringContaining('stopped'),
      });
    });

    it('does not wait for what cannot come due in time', async () => {
      const { flowrra, tasks } = await start();
      await flowrra.with({ delay: '1h' }).submit(tasks.echo, 'late');
      await flowrra.stop({ timeout: '10s' });
      expect(flowrra.isRunning).toBe(false);
    });
  } else {
    it('leaves what waits for the next start', async () => {
      const { flowrra, tasks, advance } = await start();
      await flowrra.submit(tasks.hold);
      await advance(0);
      const ids = await flowrra.submitMany(tasks.echo, [[1], [2], [3]]);
      const stopped = flowrra.stop();
      tasks.gate.open('done');
      await stopped;
      await flowrra.start();
      for (const [n, id] of ids.entries()) expect((await flowrra.waitForResult(id)).result).toBe(n + 1);
    });
  }

  it('stop without waiting aborts at once', async () => {
    const { flowrra, tasks, advance } = await start();
    await flowrra.submit(tasks.interruptible);
    await advance(0);
    await flowrra.stop({ wait: false });
    expect(tasks.reason).toBeInstanceOf(ExecutorStoppingError);
  });
}
