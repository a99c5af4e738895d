import { jest } from '@jest/globals';
import { Injectable, Logger, type ModuleMetadata, Scope } from '@nestjs/common';
import { FlowrraService, OnTask, Task, type TaskEvent } from '../../lib/index.js';
import { settle } from '../support/manual-clock.js';
import { startApp, type TestApp } from '../support/app.js';

const open: TestApp[] = [];
async function start(metadata: ModuleMetadata): Promise<TestApp> {
  const started = await startApp({ queues: { mail: {} } }, metadata);
  open.push(started);
  return started;
}
afterEach(async () => {
  jest.restoreAllMocks();
  for (const { app } of open.splice(0)) await app.close();
});

@Injectable()
class Mail {
  @Task({ queue: 'mail', maxRetries: 0 })
  send(to: string): string {
    if (to === 'nobody') throw new RangeError('no such mailbox');
    return to;
  }

  @Task()
  tidy(): void {}
}

@Injectable()
class Watch {
  readonly received: string[] = [];

  @OnTask('failed', { task: 'Mail.send' })
  failed(event: TaskEvent<'failed'>): void {
    this.received.push(`failed: ${event.error.message}`);
  }

  @OnTask(['submitted', 'succeeded'], { queue: ['mail', 'other'] })
  async ends({ type, taskName }: TaskEvent<'submitted' | 'succeeded'>): Promise<void> {
    this.received.push(`${type} ${taskName}`);
  }

  @OnTask('started')
  @OnTask('succeeded')
  any({ type, attempt }: TaskEvent<'started' | 'succeeded'>): void {
    this.received.push(`any ${type} #${attempt}`);
  }
}

it('receives the events that match its filter, for each decorator', async () => {
  const { app, flowrra } = await start({ providers: [Mail, Watch] });
  const mail = app.get(Mail);
  await flowrra.waitForResult(await flowrra.submit(mail.send, 'ada'));
  await flowrra.waitForResult(await flowrra.submit(mail.tidy));
  await flowrra.waitForResult(await flowrra.submit(mail.send, 'nobody'));
  await settle();
  expect(app.get(Watch).received.sort()).toEqual(
    [
      'submitted Mail.send',
      'any started #1',
      'succeeded Mail.send',
      'any succeeded #1',
      'any started #1',
      'any succeeded #1',
      'submitted Mail.send',
      'any started #1',
      'failed: no such mailbox',
    ].sort(),
  );
});

it('a listener that throws or rejects is logged, and disturbs neither the job nor other listeners', async () => {
  const errors = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);

  @Injectable()
  class Broken {
    @OnTask('succeeded')
    throws(): void {
      throw new Error('at once');
    }

    @OnTask('succeeded')
    async rejects(): Promise<void> {
      throw new Error('a moment later');
    }
  }
  const { app, flowrra } = await start({ providers: [Broken, Mail, Watch] });
  const id = await flowrra.submit(app.get(Mail).tidy);
  expect((await flowrra.waitForResult(id)).status).toBe('success');
  await settle();
  expect(app.get(Watch).received).toEqual(['any started #1', 'any succeeded #1']);
  expect(errors.mock.calls.map(([message]) => message)).toEqual([
    expect.stringMatching(/The listener Broken\.throws in TestModule failed: Error: at once/),
    expect.stringMatching(/Broken\.rejects.*a moment later/),
  ]);
});

it('receives submissions of other modules during the start, and a subclass inherits the listeners', async () => {
  @Injectable()
  class Early {
    constructor(private readonly flowrra: FlowrraService) {}

    async onModuleInit(): Promise<void> {
      await this.flowrra.submit('Mail.send', 'early');
    }
  }
  @Injectable()
  class Sub extends Watch {
    override failed(event: TaskEvent<'failed'>): void {
      this.received.push(`sub ${event.error.message}`);
    }
  }
  const { app, flowrra } = await start({ providers: [Mail, Sub, Early] });
  await flowrra.waitForResult(await flowrra.submit('Mail.send', 'nobody'));
  await settle();
  expect(app.get(Sub).received).toContain('submitted Mail.send');
  expect(app.get(Sub).received).toContain('sub no such mailbox');
});

it('without a listener, events are not created', async () => {
  const { app, flowrra } = await start({ providers: [Mail] });
  const hub = (flowrra as unknown as { runtime: { events: { observed: boolean } } }).runtime.events;
  expect(hub.observed).toBe(false);
  expect(app.get(Mail)).toBeDefined();
});

it('rejects invalid listeners', async () => {
  @Injectable({ scope: Scope.REQUEST })
  class PerRequest {
    @OnTask('failed')
    failed(): void {}
  }
  await expect(start({ providers: [PerRequest] })).rejects.toThrow(
    /PerRequest\.failed in TestModule has @OnTask\(\).*default scope/,
  );
  const define = (type: unknown, filter?: unknown) => () => {
    class Listener {
      @OnTask(type as 'failed', filter as object)
      hear(): void {}
    }
    return Listener;
  };
  expect(define('faild')).toThrow(
    /@OnTask\(\) on Listener\.hear: 'faild' is not valid\. Did you mean 'failed'/,
  );
  expect(define([])).toThrow(/Name one type of events, or several/);
  expect(define('failed', { tsk: 'a' })).toThrow(/Did you mean 'task'/);
  expect(define('failed', { task: 5 })).toThrow(/task: 5 is not valid/);
});
