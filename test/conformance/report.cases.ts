import { Injectable } from '@nestjs/common';
import { currentTask } from '../../lib/current-task.js';
import { Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { type Beds, type EngineUnderTest } from './engine-under-test.js';

/** Deep below the handler, where nobody hands a context down. */
async function deepBelow(): Promise<string | undefined> {
  await Promise.resolve();
  return currentTask()?.taskId;
}

@Injectable()
class Telling {
  readonly saw: unknown[] = [];
  readonly gate = new Gate();
  readonly told = new Gate();

  @Task()
  context(@TaskCtx() ctx: TaskContext): void {
    const { attempt, priority, metadata, submittedAt, taskId } = ctx;
    this.saw.push({ attempt, priority, metadata, submittedAt, taskId });
  }

  @Task({ maxRetries: 1, retryDelay: 10 })
  async steps(@TaskCtx() ctx: TaskContext): Promise<string> {
    ctx.log(`attempt ${ctx.attempt} begins`);
    ctx.progress({ done: 1, of: 3, at: new Date(0) });
    this.told.open();
    await this.gate.passed;
    ctx.log('almost done');
    ctx.progress({ done: 3, of: 3 });
    if (ctx.attempt === 1) throw new Error('once more');
    return 'done';
  }

  @Task()
  chatty(lines: number, @TaskCtx() ctx: TaskContext): void {
    for (let n = 0; n < lines; n++) {
      ctx.log(`line ${n} ${'x'.repeat(n === lines - 1 ? 5_000 : 0)}`);
      ctx.progress(n);
    }
  }

  @Task({ maxRetries: 0 })
  unfit(@TaskCtx() ctx: TaskContext): void {
    ctx.progress({ fn: () => 1 });
  }

  @Task({ maxRetries: 0 })
  tooLarge(@TaskCtx() ctx: TaskContext): void {
    ctx.progress('x'.repeat(20_000));
  }

  @Task()
  async deep(): Promise<void> {
    this.saw.push(await deepBelow());
  }

  @Task()
  async late(@TaskCtx() ctx: TaskContext): Promise<void> {
    void this.gate.passed.then(() => {
      ctx.progress('too late');
      ctx.log('too late');
      this.told.open();
    });
  }
}

const REMOTE = { remoteTasks: { 'Telling.steps': {} }, role: 'producer' } as const;

/** What a running job knows, and says, of itself. */
export function reportCases(beds: Beds, engine: EngineUnderTest): void {
  const start = async () => {
    const bed = await beds.start([Telling]);
    return { ...bed, telling: bed.app.get(Telling) };
  };

  it('a task knows its job, and what was given with it', async () => {
    const { flowrra, telling, clock } = await start();
    const now = clock.now();
    const metadata = { tenant: 'ada', tags: ['a'], since: new Date(5) };
    const id = await flowrra.with({ priority: 7, metadata }).submit(telling.context);
    const plain = await flowrra.submit(telling.context);
    await flowrra.waitForResult(id);
    await flowrra.waitForResult(plain);
    expect(telling.saw).toContainEqual({
      attempt: 1,
      priority: 7,
      metadata,
      submittedAt: new Date(now),
      taskId: id,
    });
    expect(telling.saw).toContainEqual(expect.objectContaining({ priority: 0, metadata: {}, taskId: plain }));
  });

  it('refuses metadata that cannot travel, or is too large', async () => {
    const { flowrra, telling } = await start();
    const submit = (metadata: object) =>
      flowrra.with({ metadata: metadata as never }).submit(telling.context);
    await expect(submit({ fn: () => 1 })).rejects.toThrow(/metadata\.fn/);
    await expect(submit({ text: 'x'.repeat(20_000) })).rejects.toThrow(/metadata.*16384 bytes/);
    expect(() => flowrra.with({ metadata: 'text' as never })).toThrow(/metadata/);
  });

  it('progress and lines are there for everybody while the job runs, and stay with its result', async () => {
    const { flowrra, telling, advance, seen } = await start();
    const id = await flowrra.with({ metadata: { by: 'ada' } }).submit(telling.steps);
    await advance(0);
    await telling.told.passed;
    await advance(1_000);
    expect(await flowrra.getResult(id)).toMatchObject({
      status: 'running',
      progress: { done: 1, of: 3, at: new Date(0) },
    });
    expect(await flowrra.jobs.get(id)).toMatchObject({
      status: 'running',
      metadata: { by: 'ada' },
      args: [],
      logs: [{ attempt: 1, line: 'attempt 1 begins', at: expect.any(Date) }],
    });
    telling.gate.open();
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ result: 'done', progress: { done: 3, of: 3 } });
    const { logs } = (await flowrra.jobs.get(id)) ?? { logs: [] };
    expect(logs.map(({ attempt, line }) => `${attempt} ${line}`)).toEqual([
      '1 attempt 1 begins',
      '1 almost done',
      '2 attempt 2 begins',
      '2 almost done',
    ]);
    const told = seen.filter((event) => event.type === 'progress' || event.type === 'log');
    expect(told.map((event) => (event.type === 'log' ? event.line : event.progress))).toEqual([
      'attempt 1 begins',
      { done: 1, of: 3, at: new Date(0) },
      'almost done',
      { done: 3, of: 3 },
      'attempt 2 begins',
      { done: 1, of: 3, at: new Date(0) },
      'almost done',
      { done: 3, of: 3 },
    ]);
  });

  it('keeps the last 200 lines of a job, and cuts long ones', async () => {
    const { flowrra, telling, advance } = await start();
    const id = await flowrra.submit(telling.chatty, 500);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success', progress: 499 });
    const { logs } = (await flowrra.jobs.get(id)) ?? { logs: [] };
    expect(logs).toHaveLength(200);
    expect(logs[0]?.line).toBe('line 300 ');
    expect(logs.at(-1)?.line).toHaveLength(2_000);
  });

  it('progress that cannot travel, or is too large, is an error inside the task', async () => {
    const { flowrra, telling } = await start();
    const unfit = await flowrra.waitForResult(await flowrra.submit(telling.unfit));
    expect(unfit.error).toMatch(/PayloadError: progress\.fn/);
    const large = await flowrra.waitForResult(await flowrra.submit(telling.tooLarge));
    expect(large.error).toMatch(/PayloadError: progress.*16384 bytes/);
  });

  it('what is said after the end is not heard', async () => {
    const { flowrra, telling, advance, seen } = await start();
    const id = await flowrra.submit(telling.late);
    await flowrra.waitForResult(id);
    telling.gate.open();
    await telling.told.passed;
    await advance(1_000);
    expect(await flowrra.jobs.get(id)).toMatchObject({ progress: null, logs: [] });
    expect(seen.map(({ type }) => type)).not.toContain('progress');
  });

  it('currentTask() tells of the job deep below its handler, and of none elsewhere', async () => {
    const { flowrra, telling } = await start();
    const ids = await Promise.all([flowrra.submit(telling.deep), flowrra.submit(telling.deep)]);
    await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
    expect(telling.saw.sort()).toEqual([...ids].sort());
    expect(await deepBelow()).toBeUndefined();
  });

  if (engine.cannot.includes('share jobs')) return;

  it('another process reads progress and lines while the job runs', async () => {
    const worker = await start();
    const producer = await beds.start([], REMOTE, worker);
    const id = await producer.flowrra.submit('Telling.steps');
    await worker.advance(0);
    await worker.telling.told.passed;
    await worker.advance(1_000);
    expect(await producer.flowrra.getResult(id)).toMatchObject({ status: 'running', progress: { done: 1 } });
    expect(await producer.flowrra.jobs.get(id)).toMatchObject({ logs: [{ line: 'attempt 1 begins' }] });
    worker.telling.gate.open();
    await worker.advance(1_000);
    expect((await producer.flowrra.waitForResult(id)).progress).toEqual({ done: 3, of: 3 });
  });
}
