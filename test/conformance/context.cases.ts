import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskCtx, TaskRunTimeoutError } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import type { Beds } from './engine-under-test.js';

const request = new AsyncLocalStorage<string>();

@Injectable()
class Contextual {
  @Task()
  whoami(label: string, @TaskCtx() ctx: TaskContext) {
    return {
      label,
      taskId: ctx.taskId,
      taskName: ctx.taskName,
      attempt: ctx.attempt,
      aborted: ctx.signal.aborted,
    };
  }

  @Task()
  optional(first?: string, second?: string, @TaskCtx() ctx?: TaskContext) {
    return [first, second, ctx?.taskName];
  }

  @Task()
  async store(): Promise<unknown[]> {
    const before = request.getStore();
    await Promise.resolve();
    return [before, request.getStore()];
  }

  @Task({ timeout: '5s', killGrace: '1s', maxRetries: 0 })
  async polite(@TaskCtx() { signal }: TaskContext): Promise<string> {
    return new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    );
  }

  @Task({ timeout: '5s', killGrace: '1s', maxRetries: 0 })
  async cleansUp(@TaskCtx() { signal }: TaskContext): Promise<string> {
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve('what was done')));
  }

  @Task({ timeout: '5s', killGrace: '1s', maxRetries: 1, retryDelay: 0 })
  deaf(): Promise<void> {
    return new Promise(() => {});
  }
}

export function contextCases(beds: Beds): void {
  it('hands the context to the parameter that asks for it', async () => {
    const { flowrra } = await beds.start([Contextual]);
    const tasks = flowrra.tasks(Contextual);
    const id = await tasks.whoami('me');
    expect((await flowrra.waitForResult(id)).result).toEqual({
      label: 'me',
      taskId: id,
      taskName: 'Contextual.whoami',
      attempt: 1,
      aborted: false,
    });
    const optional = async (...args: [string?, string?]) =>
      (await flowrra.waitForResult(await tasks.optional(...args))).result;
    expect(await optional()).toEqual([undefined, undefined, 'Contextual.optional']);
    expect(await optional('a')).toEqual(['a', undefined, 'Contextual.optional']);
    expect(await optional('a', 'b')).toEqual(['a', 'b', 'Contextual.optional']);
  });

  it('what is captured of the surroundings travels with the job, and each attempt runs within it', async () => {
    const captured: unknown[] = [];
    const { flowrra, app, advance } = await beds.start([Contextual], {
      context: {
        capture: () => request.getStore() && { tenant: request.getStore(), since: new Date(5) },
        run: (context, next) => {
          captured.push(context);
          return request.run((context as { tenant: string } | undefined)?.tenant ?? 'nobody', next);
        },
      },
    });
    const { store } = app.get(Contextual);
    const metadata = { own: 1 };
    const ids = await request.run('ada', () =>
      Promise.all([
        flowrra.submit(store),
        flowrra.with({ delay: 10, metadata }).submit(store),
        flowrra.submitMany(store, [[]]).then(([id]) => id as string),
      ]),
    );
    const alone = await flowrra.submit(store);
    await advance(100);
    for (const id of ids) expect((await flowrra.waitForResult(id)).result).toEqual(['ada', 'ada']);
    expect((await flowrra.waitForResult(alone)).result).toEqual(['nobody', 'nobody']);
    expect(captured).toContainEqual({ tenant: 'ada', since: new Date(5) });
    expect(captured).toContain(undefined);
    expect(request.getStore()).toBeUndefined();
    // It is nobody else's to see.
    expect((await flowrra.jobs.get(ids[1] as string))?.metadata).toEqual(metadata);
    await expect(flowrra.with({ metadata: { $context: 1 } }).submit(store)).rejects.toThrow(/\$context/);
  });

  it('what cannot be captured refuses the submission, and what fails around an attempt fails it', async () => {
    const { flowrra, app } = await beds.start([Contextual], {
      context: {
        capture: () => {
          if (request.getStore() === 'unfit') return { fn: () => 1 };
          if (request.getStore() === 'throws') throw new Error('no tenant');
          return request.getStore();
        },
        run: () => {
          throw new Error('no such tenant');
        },
      },
    });
    const { polite } = app.get(Contextual);
    await expect(request.run('unfit', () => flowrra.submit(polite))).rejects.toThrow(/context\.fn/);
    await expect(request.run('throws', () => flowrra.submit(polite))).rejects.toThrow('no tenant');
    const id = await request.run('ada', () => flowrra.submit(polite));
    expect(await flowrra.waitForResult(id)).toMatchObject({
      status: 'failed',
      error: 'Error: no such tenant',
    });
  });

  it("an attempt never runs in its submitter's AsyncLocalStorage", async () => {
    const { flowrra, app, advance } = await beds.start([Contextual], { numWorkers: 1 });
    const { store } = app.get(Contextual);
    const ids = await request.run('a request', () =>
      Promise.all([flowrra.submit(store), flowrra.submit(store), flowrra.with({ delay: 10 }).submit(store)]),
    );
    await advance(100);
    for (const id of ids) expect((await flowrra.waitForResult(id)).result).toEqual([undefined, undefined]);
  });

  it('what one attempt enters does not reach the next', async () => {
    const { flowrra, advance } = await beds.start([], { numWorkers: 1 });
    const seen: unknown[] = [];
    flowrra.register({ name: 'enters' }, (value: string) => {
      seen.push(request.getStore());
      request.enterWith(value);
      return Promise.resolve().then(() => seen.push(request.getStore()));
    });
    await flowrra.submitMany('enters', [['a'], ['b'], ['c']]);
    await advance(0);
    expect(seen).toEqual([undefined, 'a', undefined, 'b', undefined, 'c']);
  });

  it('a retry does not run in it, either', async () => {
    const { flowrra, advance } = await beds.start([]);
    const seen: unknown[] = [];
    flowrra.register({ name: 'retried', retryDelay: 10 }, () => {
      seen.push(request.getStore());
      if (seen.length < 3) throw new Error('again');
    });
    await request.run('a request', () => flowrra.submit('retried'));
    await advance(1_000);
    expect(seen).toEqual([undefined, undefined, undefined]);
  });

  it('aborts the signal of an attempt that takes too long, and fails it with the time-out as the error', async () => {
    const { flowrra, app, advance } = await beds.start([Contextual]);
    const id = await flowrra.submit(app.get(Contextual).polite);
    await advance(4_999);
    expect((await flowrra.getResult(id))?.status).toBe('running');
    await advance(1);
    expect(await flowrra.getResult(id)).toMatchObject({
      status: 'failed',
      errors: [{ name: TaskRunTimeoutError.name, code: 'FLOWRRA_RUN_TIMEOUT' }],
    });
  });

  it('what it returns within killGrace still counts', async () => {
    const { flowrra, app, advance } = await beds.start([Contextual]);
    const id = await flowrra.submit(app.get(Contextual).cleansUp);
    await advance(5_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success', result: 'what was done' });
  });

  it('an attempt that hears nothing counts as failed after killGrace, and is tried again', async () => {
    const { flowrra, app, advance } = await beds.start([Contextual], { numWorkers: 1 });
    const id = await flowrra.submit(app.get(Contextual).deaf);
    await advance(5_999);
    expect((await flowrra.getResult(id))?.status).toBe('running');
    await advance(1);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'running', retries: 1 });
    await advance(6_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'failed', retries: 1 });
  });

  it('one job may override the timeout', async () => {
    const { flowrra, app, advance } = await beds.start([Contextual]);
    const id = await flowrra.with({ timeout: '1s' }).submit(app.get(Contextual).polite);
    await advance(1_000);
    expect((await flowrra.getResult(id))?.error).toMatch(/timeout of 1000 ms/);
  });

  it('an attempt that ends in time leaves no timer behind', async () => {
    const { flowrra, clock, advance } = await beds.start([], { resultTtl: '7d' });
    const gate = new Gate();
    flowrra.register({ name: 'quick', timeout: '5s' }, () => gate.passed);
    await advance(0);
    const armed = clock.armed;
    const id = await flowrra.submit('quick');
    await advance(0);
    expect(clock.armed).toBe(armed + 1);
    gate.open();
    await flowrra.waitForResult(id);
    await advance(10_000);
    expect((await flowrra.getResult(id))?.status).toBe('success');
  });
}
