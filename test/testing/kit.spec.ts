import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  FlowrraModule,
  FlowrraService,
  OnTask,
  RetryTaskError,
  Task,
  type TaskContext,
  TaskCtx,
  type TaskEvent,
} from '../../lib/index.js';
import { FlowrraTesting, FlowrraTestingModule, type TestMode } from '../../lib/testing/index.js';

class Unreachable extends Error {}

@Injectable()
class EmailTasks {
  readonly sent: unknown[][] = [];
  failures = 0;

  constructor(private readonly flowrra: FlowrraService) {}

  @Task({ maxRetries: 3, retryDelay: '1m' })
  async sendWelcome(to: string, at: Date): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (this.failures-- > 0) throw new Unreachable(`no way to ${to}`);
    this.sent.push([to, at]);
    return `sent to ${to}`;
  }

  @Task({ queue: 'bulk' })
  async invite(to: string[]): Promise<void> {
    await this.flowrra.submitMany(
      this.sendWelcome,
      to.map((each): [string, Date] => [each, new Date(0)]),
    );
  }

  @Task({ timeout: '10s', killGrace: '1s', maxRetries: 0 })
  async hangs(@TaskCtx() { signal }: TaskContext): Promise<void> {
    await new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    );
  }

  @Task({ cpuBound: true })
  square(n: number): number {
    return n * n;
  }

  @Task()
  async later(): Promise<void> {
    throw new RetryTaskError('5m', 'not yet');
  }
}

@Injectable()
class Watch {
  readonly heard: string[] = [];

  @OnTask(['succeeded', 'failed'])
  hear({ type, taskName }: TaskEvent): void {
    this.heard.push(`${type} ${taskName}`);
  }
}

@Injectable()
class SignUp {
  constructor(
    private readonly flowrra: FlowrraService,
    private readonly emails: EmailTasks,
  ) {}

  async register(email: string): Promise<string> {
    return this.flowrra
      .with({ priority: 5, delay: '5m', metadata: { by: 'test' }, tags: ['urgent'] })
      .submit(this.emails.sendWelcome, email, new Date(5));
  }
}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const module of open.splice(0)) await module.close();
});

async function start(mode?: TestMode) {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot({ queues: { bulk: {} }, ...(mode && { mode }) })],
    providers: [EmailTasks, SignUp, Watch],
  }).compile();
  open.push(module);
  await module.init();
  return {
    module,
    flowrra: module.get(FlowrraTesting),
    emails: module.get(EmailTasks),
    signUp: module.get(SignUp),
    watch: module.get(Watch),
  };
}

describe('fake', () => {
  it('records what is submitted, and runs nothing', async () => {
    const { flowrra, signUp, emails } = await start('fake');
    const id = await signUp.register('ada@example.com');
    await flowrra.submit(emails.invite, ['bob@example.com']);
    await flowrra.clock.advance('1d');
    expect(emails.sent).toEqual([]);
    expect(flowrra.submitted(EmailTasks, 'sendWelcome')).toEqual([
      {
        taskId: id,
        taskName: 'EmailTasks.sendWelcome',
        queue: 'default',
        args: ['ada@example.com', new Date(5)],
        priority: 5,
        delay: 300_000,
        metadata: { by: 'test' },
        tags: ['urgent'],
      },
    ]);
    expect(flowrra.submitted(emails.invite).map(({ args }) => args)).toEqual([[['bob@example.com']]]);
    expect(flowrra.submitted('EmailTasks.invite')).toHaveLength(1);
    expect(flowrra.submitted()).toHaveLength(2);
    flowrra.clearSubmitted();
    expect(flowrra.submitted()).toEqual([]);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'pending' });
    expect(() => flowrra.submitted(EmailTasks, 'register' as never)).toThrow(/No task is called/);
  });

  it('arguments pass as in production: what cannot travel is refused', async () => {
    const { flowrra } = await start('fake');
    await expect(flowrra.submit('EmailTasks.invite', () => 1)).rejects.toThrow(/args\[0\]/);
  });
});

describe('inline', () => {
  it('runs inside of submit, whatever the delay, and what the task submits as well', async () => {
    const { flowrra, signUp, emails } = await start('inline');
    const id = await signUp.register('ada@example.com');
    expect(emails.sent).toEqual([['ada@example.com', new Date(5)]]);
    expect(await flowrra.getResult(id)).toMatchObject({
      status: 'success',
      result: 'sent to ada@example.com',
    });
    await flowrra.submit(emails.invite, ['bob@example.com', 'cy@example.com']);
    expect(emails.sent.map(([to]) => to)).toEqual(['ada@example.com', 'bob@example.com', 'cy@example.com']);
    expect((await flowrra.waitForResult(await flowrra.submit(emails.square, 7))).result).toBe(49);
  });

  it('what the task throws, submit throws, as it is', async () => {
    const { signUp, emails } = await start('inline');
    emails.failures = 1;
    const thrown = await signUp.register('ada@example.com').catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(Unreachable);
  });
});

describe('manual', () => {
  it('runs what is due when it is told to, and what comes due as the clock moves', async () => {
    const { flowrra, signUp, emails, watch } = await start();
    const id = await signUp.register('ada@example.com');
    await flowrra.submit(emails.invite, ['bob@example.com']);
    expect(emails.sent).toEqual([]);
    await flowrra.drain();
    expect(emails.sent.map(([to]) => to)).toEqual(['bob@example.com']);
    await flowrra.clock.advance('4m');
    expect(emails.sent).toHaveLength(1);
    await flowrra.clock.advance('1m');
    expect(emails.sent.map(([to]) => to)).toEqual(['bob@example.com', 'ada@example.com']);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success' });
    expect(watch.heard.sort()).toEqual([
      'succeeded EmailTasks.invite',
      'succeeded EmailTasks.sendWelcome',
      'succeeded EmailTasks.sendWelcome',
    ]);
  });

  it('a job can be watched', async () => {
    const { flowrra, emails } = await start();
    emails.failures = 1;
    const id = await flowrra.submit(emails.sendWelcome, 'ada@example.com', new Date(0));
    const seen: string[] = [];
    flowrra.watch(id).subscribe({
      next: ({ status, result }) => seen.push(`${status} ${String(result)}`),
      complete: () => seen.push('complete'),
    });
    await flowrra.drain();
    await flowrra.clock.advance('1m');
    expect(seen).toEqual([
      'pending null',
      'running null',
      'retrying null',
      'running null',
      'success sent to ada@example.com',
      'complete',
    ]);
  });

  it('retries come in their time', async () => {
    const { flowrra, emails } = await start();
    emails.failures = 2;
    const id = await flowrra.submit(emails.sendWelcome, 'ada@example.com', new Date(0));
    await flowrra.drain();
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'retrying', retries: 1 });
    await flowrra.clock.advance('1m');
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'retrying', retries: 2 });
    await flowrra.clock.advance('1m');
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success', retries: 2 });
    const later = await flowrra.submit(emails.later);
    await flowrra.clock.advance('4m');
    expect(await flowrra.getResult(later)).toMatchObject({ retries: 1 });
    await flowrra.clock.advance('12m');
    expect(await flowrra.getResult(later)).toMatchObject({ status: 'failed', retries: 3 });
  });

  it('time-outs and cancellations pass as the clock moves', async () => {
    const { flowrra, emails } = await start();
    const id = await flowrra.submit(emails.hangs);
    await flowrra.clock.advance('9s');
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'running' });
    await flowrra.clock.advance('1s');
    expect(await flowrra.waitForResult(id)).toMatchObject({
      status: 'failed',
      errors: [{ code: 'FLOWRRA_RUN_TIMEOUT' }],
    });
    const other = await flowrra.submit(emails.hangs);
    await flowrra.clock.advance(0);
    await flowrra.cancel(other, { reason: 'enough' });
    await flowrra.drain();
    expect(await flowrra.waitForResult(other)).toMatchObject({ status: 'cancelled', error: 'enough' });
  });

  it('the application closes at once, whatever runs and waits', async () => {
    const { module, flowrra, emails } = await start();
    await flowrra.submit(emails.hangs);
    await flowrra.with({ delay: '1d' }).submit(emails.square, 2);
    await flowrra.clock.advance(0);
    open.length = 0;
    await module.close();
  });
});

it('a whole application runs on it, which imports Flowrra itself', async () => {
  @Module({
    imports: [FlowrraModule.forRoot({ engine: 'redis://nowhere:1', queues: { bulk: { concurrency: 3 } } })],
    providers: [EmailTasks, SignUp],
  })
  class AppModule {}

  const builder = Test.createTestingModule({ imports: [AppModule] });
  const module = await FlowrraTestingModule.override(builder, { now: new Date(1_000) }).compile();
  open.push(module);
  await module.init();
  const flowrra = FlowrraTestingModule.of(module);
  expect(flowrra.clock.now()).toBe(1_000);
  await module.get(SignUp).register('ada@example.com');
  await flowrra.clock.advance('5m');
  expect(module.get(EmailTasks).sent).toHaveLength(1);
  expect(flowrra.submitted(EmailTasks, 'sendWelcome')).toHaveLength(1);
});

it('knows its modes', async () => {
  const starting = Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot({ mode: 'fakes' as TestMode })],
  }).compile();
  await expect(starting).rejects.toThrow(/mode: 'fakes' is not valid\. Did you mean 'fake'/);
});

it('rejects a module that uses the real Flowrra, and unknown options', async () => {
  const module = await Test.createTestingModule({ imports: [FlowrraModule.forRoot()] }).compile();
  open.push(module);
  expect(() => FlowrraTestingModule.of(module)).toThrow(/uses the real Flowrra.*override/);
  const builder = Test.createTestingModule({ imports: [FlowrraModule.forRoot()] });
  expect(() => FlowrraTestingModule.override(builder, { mod: 'fake' } as never)).toThrow(
    /Did you mean 'mode'/,
  );
  expect(() => FlowrraTestingModule.forRoot({ mod: 'fake' } as never)).toThrow(/Did you mean 'mode'/);
  const odd = Test.createTestingModule({ imports: [FlowrraTestingModule.forRoot({ now: 'x' as never })] });
  await expect(odd.compile()).rejects.toThrow(/now: 'x' is not valid/);
});
