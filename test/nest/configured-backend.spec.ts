import { Global, Inject, Injectable, Module } from '@nestjs/common';
import { type Engine, InMemoryBackend, type ResultBackend, type TaskResult } from '../../lib/index.js';
import { startApp } from '../support/app.js';
import { ManualClock } from '../support/manual-clock.js';
import { sqliteEngine } from '../support/sqlite.js';

describe('a configured backend', () => {
  it('a class is instantiated by Nest and receives every change in order', async () => {
    const received: string[] = [];
    @Injectable()
    class Journal extends InMemoryBackend {
      constructor(@Inject('JOURNAL') private readonly journal: string[]) {
        super();
      }

      override store(...[taskId, result]: Parameters<ResultBackend['store']>): void {
        this.journal.push(result.status);
        super.store(taskId, result);
      }
    }
    @Global()
    @Module({ providers: [{ provide: 'JOURNAL', useValue: received }], exports: ['JOURNAL'] })
    class JournalModule {}
    const { app, flowrra } = await startApp({ backend: Journal }, { imports: [JournalModule] });
    let attempts = 0;
    flowrra.register({ name: 'flaky', retryDelay: 0 }, () => {
      if (++attempts === 1) throw new Error('once');
      return 'done';
    });
    const id = await flowrra.submit('flaky');
    expect((await flowrra.waitForResult(id)).result).toBe('done');
    expect(received).toEqual(['pending', 'running', 'retrying', 'running', 'success']);
    await app.close();
  });

  it('a failing write is retried, a hanging one times out, and the job still ends', async () => {
    const clock = new ManualClock();
    const backend = new InMemoryBackend({ clock });
    const store = backend.store.bind(backend);
    const { app, flowrra } = await startApp({ backend, clock });
    flowrra.register({ name: 'work' }, () => 'done');
    let mode: 'fails' | 'hangs' | 'works' = 'works';
    backend.store = (taskId, result) => {
      if (mode === 'fails' && result.status !== 'pending') throw new Error('the backend is down');
      if (mode === 'hangs' && result.status !== 'pending') return new Promise<void>(() => {}) as never;
      return store(taskId, result);
    };
    for (const trouble of ['fails', 'hangs'] as const) {
      mode = trouble;
      const id = await flowrra.submit('work');
      await clock.advance(20_000);
      expect((await flowrra.getResult(id))?.status).toBe('pending');
      mode = 'works';
      await clock.advance(60_000);
      expect((await flowrra.getResult(id))?.result).toBe('done');
    }
    await app.close();
  });

  it('that cannot record a job rejects the submission, and the job does not run', async () => {
    const backend = new InMemoryBackend();
    backend.store = () => {
      throw new Error('read-only');
    };
    const { app, flowrra } = await startApp({ backend });
    let ran = false;
    flowrra.register({ name: 'work' }, () => (ran = true));
    await expect(flowrra.submit('work')).rejects.toMatchObject({
      code: 'FLOWRRA_BACKEND',
      cause: new Error('read-only'),
    });
    await app.close();
    expect(ran).toBe(false);
  });

  const engines: [string, () => string | Engine][] = [
    ['memory', () => 'memory:'],
    ['sqlite', () => sqliteEngine()],
  ];
  describe.each(engines)('over %s, answers when operators see the same', (_name, engine) => {
    it.each(['waitForResult', 'getResult'] as const)('%s', async (read) => {
      const { app, flowrra } = await startApp({ backend: new InMemoryBackend(), engine: engine() });
      let runs = 0;
      flowrra.register({ name: 'fails', maxRetries: 0 }, () => {
        if (++runs % 2 === 1) throw new Error('the first time');
      });
      const ended = async (id: string): Promise<TaskResult> => {
        if (read === 'waitForResult') return flowrra.waitForResult(id);
        for (;;) {
          const result = await flowrra.getResult(id);
          if (result?.isComplete) return result;
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      for (let times = 0; times < 20; times++) {
        const id = await flowrra.submit('fails');
        expect((await ended(id)).status).toBe('failed');
        expect((await flowrra.jobs.get(id))?.status).toBe('failed');
        expect((await flowrra.jobs.counts())[0]).toMatchObject({ running: 0, failed: 1 });
        expect(await flowrra.jobs.retry(id)).toBe(true);
        expect((await ended(id)).status).toBe('success');
        expect(await flowrra.jobs.remove(id)).toBe(true);
      }
      await app.close();
    });
  });

  it('does not keep a wait beyond its time-out, nor beyond its abort, though the engine does not settle', async () => {
    const clock = new ManualClock();
    const backend = new InMemoryBackend({ clock });
    const { app, flowrra } = await startApp({ backend, clock });
    let finish!: () => void;
    flowrra.register({ name: 'work' }, () => new Promise<void>((resolve) => (finish = resolve)));
    const id = await flowrra.submit('work');
    await clock.advance(0);
    const running = (await flowrra.getResult(id)) as TaskResult;
    const finishedAt = new Date(clock.now());
    backend.store(id, { ...running, status: 'failed', isComplete: true, finishedAt } as TaskResult);
    const waits = [flowrra.waitForResult(id, { timeout: '1s' }), flowrra.waitForResult(id)];
    const aborted = new AbortController();
    const given = flowrra.waitForResult(id, { signal: aborted.signal });
    await clock.advance(0);
    aborted.abort(new Error('given up'));
    await expect(given).rejects.toThrow('given up');
    await clock.advance(1_000);
    expect((await waits[0])?.status).toBe('failed');
    await clock.advance(4_000);
    expect((await waits[1])?.status).toBe('failed');
    finish();
    await app.close();
  });
});
