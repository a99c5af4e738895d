import type { INestApplicationContext } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { type FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { startApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { guardedEngine } from '../support/guarded-engine.js';

/** The submission of its child job is under way when its first attempt fails. */
@Injectable()
class Late {
  readonly did: string[] = [];
  readonly begun = new Gate();

  @Task({ maxRetries: 1, retryDelay: 0 })
  async starts(kind: 'call' | 'submit', @TaskCtx() ctx: TaskContext): Promise<void> {
    const started = kind === 'call' ? ctx.call(this.noted) : ctx.submit(this.noted);
    if (ctx.attempt === 1) {
      await this.begun.passed;
      throw new Error('too early');
    }
    await started;
  }

  @Task({ maxRetries: 0 })
  async fails(@TaskCtx() ctx: TaskContext): Promise<void> {
    void ctx.call(this.noted);
    await this.begun.passed;
    throw new Error('for good');
  }

  @Task()
  noted(): void {
    this.did.push('noted');
  }
}

let app: INestApplicationContext;
let flowrra: FlowrraService;
let late: Late;
let answer: Gate;
afterEach(() => app.close());
beforeEach(async () => {
  answer = new Gate();
  let count = 0;
  const engine = await guardedEngine('memory:', async (jobs) => {
    if (jobs.some(({ taskName }) => taskName === 'Late.noted') && count++ === 0) {
      late.begun.open();
      await answer.passed;
    }
  });
  ({ app, flowrra } = await startApp({ engine }, { providers: [Late] }));
  late = app.get(Late);
});

it.each(['submit', 'call'] as const)(
  'ctx.%s starts one job, also if an attempt fails before it has recorded that',
  async (kind) => {
    const id = await flowrra.submit(late.starts, kind);
    expect((await flowrra.waitForResult(id)).status).toBe('success');
    const { jobs } = await flowrra.jobs.find({ task: 'Late.noted' });
    for (const { taskId } of jobs) await flowrra.waitForResult(taskId);
    answer.open();
    await flowrra.stop();
    expect(late.did).toEqual(['noted']);
  },
);

it('a child whose submission is under way when its parent fails is cancelled', async () => {
  const id = await flowrra.submit(late.fails);
  await late.begun.passed;
  await flowrra.queues.pause('default');
  answer.open();
  expect((await flowrra.waitForResult(id)).status).toBe('failed');
  const { jobs } = await flowrra.jobs.find({ task: 'Late.noted' });
  expect(jobs.map(({ status }) => status)).toEqual(['cancelled']);
  await flowrra.queues.resume('default');
});
