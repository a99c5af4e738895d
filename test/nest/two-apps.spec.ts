import { Inject, Injectable } from '@nestjs/common';
import { currentTask } from '../../lib/current-task.js';
import {
  type FlowrraModuleOptions,
  FlowrraService,
  OnTask,
  Task,
  type TaskEvent,
  TaskNotFoundError,
} from '../../lib/index.js';
import { startApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { settle } from '../support/manual-clock.js';

/** What an application is called, and the other one's service where a task of it submits there. */
interface Self {
  readonly name: string;
  other?: FlowrraService;
}

/** The same class in both applications. */
@Injectable()
class Work {
  readonly started = new Gate();
  readonly gate = new Gate();

  constructor(@Inject('SELF') readonly self: Self) {}

  @Task()
  who(): unknown[] {
    return [this.self.name, currentTask()?.metadata['of']];
  }

  @Task()
  async slow(): Promise<unknown[]> {
    this.started.open();
    await this.gate.passed;
    return [this.self.name, currentTask()?.metadata['of'], currentTask()?.taskName];
  }

  /** Waits inside a task for one of the other application. */
  @Task()
  async across(): Promise<unknown[]> {
    const other = this.self.other as FlowrraService;
    const id = await other.with({ metadata: { of: 'the other' } }).submit('Work.who');
    const { result } = await other.waitForResult<unknown[]>(id);
    return [currentTask()?.metadata['of'], ...(result as unknown[])];
  }
}

@Injectable()
class Listener {
  readonly received: string[] = [];

  @OnTask(['submitted', 'started', 'succeeded'])
  any({ type, taskName }: TaskEvent<'submitted' | 'started' | 'succeeded'>): void {
    this.received.push(`${type} ${taskName}`);
  }
}

interface App {
  readonly self: Self;
  readonly flowrra: FlowrraService;
  readonly work: Work;
  readonly listener: Listener;
  readonly events: string[];
  close(): Promise<void>;
}

const open: App[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

async function start(name: string, options: FlowrraModuleOptions = {}): Promise<App> {
  const self: Self = { name };
  const { app, flowrra } = await startApp(options, {
    providers: [Work, Listener, { provide: 'SELF', useValue: self }],
  });
  const events: string[] = [];
  flowrra.events$.subscribe(({ type, taskName }) => events.push(`${type} ${taskName}`));
  const started: App = {
    self,
    flowrra,
    work: app.get(Work),
    listener: app.get(Listener),
    events,
    close: () => app.close(),
  };
  open.push(started);
  return started;
}

async function run({ flowrra }: App, task: string, of: string): Promise<unknown> {
  const id = await flowrra.with({ metadata: { of } }).submit(task);
  return (await flowrra.waitForResult(id)).result;
}

it('each runs its own tasks on its own providers, though their classes are the same', async () => {
  const [one, two] = [await start('one'), await start('two')];
  expect(await run(one, 'Work.who', 'first')).toEqual(['one', 'first']);
  expect(await run(two, 'Work.who', 'second')).toEqual(['two', 'second']);
  const id = await two.flowrra.submit(one.work.who);
  expect((await two.flowrra.waitForResult(id)).result).toEqual(['two', undefined]);
  expect(await one.flowrra.getResult(id)).toBeNull();
});

it('listeners, events and counts are those of their own', async () => {
  const [one, two] = [await start('one'), await start('two')];
  await run(one, 'Work.who', 'first');
  await settle();
  const all = ['submitted Work.who', 'started Work.who', 'succeeded Work.who'].sort();
  expect([...one.listener.received].sort()).toEqual(all);
  expect([...one.events].sort()).toEqual(all);
  expect([two.listener.received, two.events]).toEqual([[], []]);
  expect((await one.flowrra.jobs.find({})).jobs).toHaveLength(1);
  expect((await two.flowrra.jobs.find({})).jobs).toHaveLength(0);
});

it('the current task is that of the application whose code runs, also when they run at the same time', async () => {
  const [one, two] = [await start('one'), await start('two')];
  const slow = [run(one, 'Work.slow', 'first'), run(two, 'Work.slow', 'second')];
  await Promise.all([one.work.started.passed, two.work.started.passed]);
  expect(currentTask()).toBeUndefined();
  one.work.gate.open();
  two.work.gate.open();
  expect(await Promise.all(slow)).toEqual([
    ['one', 'first', 'Work.slow'],
    ['two', 'second', 'Work.slow'],
  ]);
});

it('a task of one that waits for one of the other leaves each with its own job', async () => {
  const [one, two] = [await start('one'), await start('two')];
  one.self.other = two.flowrra;
  expect(await run(one, 'Work.across', 'its own')).toEqual(['its own', 'two', 'the other']);
});

it('functions, pauses and options of one application do not affect the other', async () => {
  const one = await start('one', { queues: { mail: {} }, tasks: { 'Work.who': { queue: 'mail' } } });
  const two = await start('two');
  one.flowrra.register({ name: 'extra' }, () => 'extra');
  await expect(two.flowrra.submit('extra')).rejects.toThrow(TaskNotFoundError);
  await one.flowrra.queues.pause('default');
  const waits = await one.flowrra.submit('Work.slow');
  expect(await run(two, 'Work.who', 'second')).toEqual(['two', 'second']);
  expect(await run(one, 'Work.who', 'first')).toEqual(['one', 'first']);
  expect((await one.flowrra.getResult(waits))?.status).toBe('pending');
  await one.flowrra.cancel(waits);
});

it('one that closes lets the other go on', async () => {
  const [one, two] = [await start('one'), await start('two')];
  const running = run(two, 'Work.slow', 'second');
  await two.work.started.passed;
  await one.close();
  expect(two.flowrra.isRunning).toBe(true);
  two.work.gate.open();
  expect(await running).toEqual(['two', 'second', 'Work.slow']);
  expect(await run(two, 'Work.who', 'third')).toEqual(['two', 'third']);
});
