import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import {
  FlowrraTesting,
  flowrraMatchers,
  type FlowrraMatchers,
  FlowrraTestingModule,
  type FlowrraTestingOptions,
} from '../../lib/testing/index.js';

declare global {
  namespace jest {
    interface Matchers<R> extends FlowrraMatchers<R> {}
  }
}

expect.extend(flowrraMatchers);

@Injectable()
class Flows {
  runs = 0;
  fails = 0;

  constructor(readonly flowrra: FlowrraService) {}

  @Task({ maxRetries: 2, retryDelay: '10s' })
  async order(id: string, @TaskCtx() ctx: TaskContext): Promise<string> {
    this.runs++;
    const charge = await ctx.step('charge', () => `charge of ${id}`);
    const label = await ctx.call(this.label, id);
    const by = await ctx.waitFor<string>('approval');
    await ctx.sleep('pause', '1h');
    return `${charge}, ${label}, ${by}`;
  }

  @Task({ maxRetries: 3, retryDelay: '1m' })
  async label(id: string): Promise<string> {
    if (this.fails-- > 0) throw new Error('no paper');
    return `label of ${id}`;
  }

  @Task({ maxRetries: 0 })
  async fails2(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('first', () => undefined);
    throw new Error('as expected');
  }

  @Task()
  async leavesOut(@TaskCtx() ctx: TaskContext): Promise<void> {
    if (this.runs++ === 0) await ctx.step('only the first time', () => 1);
    await ctx.step('always', () => 2);
  }

  @Task()
  async reorders(@TaskCtx() ctx: TaskContext): Promise<void> {
    const names = this.runs++ < 2 ? ['a', 'b'] : ['b', 'a'];
    for (const name of names) await ctx.step(name, () => name);
    await ctx.waitFor('end');
  }

  @Task()
  async differs(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.call(this.label, `number ${this.runs++}`);
  }

  @Task({ maxRetries: 1, retryDelay: '1s' })
  async takesAnotherWay(@TaskCtx() ctx: TaskContext): Promise<string> {
    await ctx.step('first', () => 1);
    if (ctx.attempt > 1) return 'another way';
    await ctx.step('second', () => 2);
    throw new Error('the first attempt fails');
  }

  @Task()
  async inParallel(@TaskCtx() ctx: TaskContext): Promise<number[]> {
    const one = async (n: number): Promise<number> => {
      await ctx.sleep(`pause ${n}`, n * 1_000);
      const twice = await ctx.step(`twice ${n}`, () => 2 * n);
      await ctx.with({ key: String(n) }).call(this.label, String(n));
      return twice;
    };
    return Promise.all([3, 1, 2].map(one));
  }
}

let flowrra: FlowrraTesting;
let flows: Flows;
let close: () => Promise<void>;

async function start(options: FlowrraTestingOptions = {}): Promise<void> {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot(options)],
    providers: [Flows],
  }).compile();
  await module.init();
  flowrra = module.get(FlowrraTesting);
  flows = module.get(Flows);
  close = () => module.close();
}

afterEach(() => close());

it.each([false, true])('runs a durable task on the clock of the test (replay: %s)', async (replay) => {
  await start({ replay });
  flows.fails = 2;
  const id = await flowrra.submit(flows.order, 'o1');
  const waits = await flowrra.runUntilSuspended(id);
  expect(waits).toMatchObject([{ kind: 'waitFor', name: 'approval', result: null }]);
  await expect(flowrra).toHaveStep(id, 'charge');
  await expect(flowrra).toHaveStep(id, 'charge', { status: 'done', result: 'charge of o1' });
  await expect(flowrra).toHaveStep(id, 'Flows.label', { kind: 'call', result: 'label of o1' });
  await flowrra.signal(id, 'approval', 'ada');
  expect(await flowrra.runUntilSuspended(id)).toMatchObject([{ kind: 'sleep', name: 'pause' }]);
  await expect(flowrra).toHaveStep(id, 'approval', { result: 'ada' });
  await flowrra.clock.advance('1h');
  expect(await flowrra.getResult(id)).toMatchObject({ result: 'charge of o1, label of o1, ada', retries: 0 });
  expect(flows.runs).toBe(replay ? 5 : 4);
});

it('tells of the steps that a job has instead', async () => {
  await start();
  const id = await flowrra.submit(flows.order, 'o1');
  await expect(expect(flowrra).toHaveStep(id, 'charge')).rejects.toThrow(
    "Expected a step 'charge'. The job has no steps.",
  );
  await flowrra.drain();
  await expect(expect(flowrra).toHaveStep(id, 'change')).rejects.toThrow(
    "Expected a step 'change'. The job has none of this name. Its steps: 'charge', 'Flows.label', 'approval'",
  );
  await expect(expect(flowrra).toHaveStep(id, 'charge', { status: 'failed' })).rejects.toThrow(
    "Expected a step 'charge' with status 'failed'. It has status 'done'.",
  );
  await expect(expect(flowrra).not.toHaveStep(id, 'charge')).rejects.toThrow("Expected no step 'charge'.");
  await expect(expect(flowrra).toHaveStep(id, 'charge', { state: 'done' } as never)).rejects.toThrow('state');
  await expect(expect({} as FlowrraTesting).toHaveStep(id, 'charge')).rejects.toThrow('FlowrraTesting');
});

it('runUntilSuspended rejects for a job that ends, and for an unknown one', async () => {
  await start();
  const id = await flowrra.submit(flows.fails2);
  await expect(flowrra.runUntilSuspended(id)).rejects.toThrow("has the status 'failed'");
  await expect(flowrra.runUntilSuspended('unknown')).rejects.toThrow("no job 'unknown' is known");
});

describe('with replay', () => {
  beforeEach(() => start({ replay: true }));

  it('finds a step that is left out', async () => {
    await flowrra.submit(flows.leavesOut);
    await expect(flowrra.drain()).rejects.toThrow(
      /Flows\.leavesOut \(job .*\): the method called ctx\.step 'only the first time' before, and did not call it when it was run again/,
    );
    await flowrra.drain();
  });

  it('finds steps in another order', async () => {
    await flowrra.submit(flows.reorders);
    await expect(flowrra.clock.advance(0)).rejects.toThrow(
      "the method called ctx.step 'a' first before, and ctx.step 'b' first when it was run again",
    );
  });

  it('finds other arguments of a child job', async () => {
    await flowrra.submit(flows.differs);
    await expect(flowrra.drain()).rejects.toThrow(
      "the method called ctx.call 'Flows.label' with [ 'number 0' ] before, and with [ 'number 1' ] when it was run again",
    );
  });

  it('allows a retry to take another way', async () => {
    const id = await flowrra.submit(flows.takesAnotherWay);
    await flowrra.clock.advance('1s');
    expect(await flowrra.getResult(id)).toMatchObject({ result: 'another way', retries: 1 });
  });

  it('allows calls in parallel', async () => {
    const id = await flowrra.submit(flows.inParallel);
    await flowrra.clock.advance('3s');
    expect(await flowrra.getResult(id)).toMatchObject({ result: [6, 2, 4] });
  });
});

it('replays only in the mode manual', async () => {
  close = async () => undefined;
  await expect(start({ replay: true, mode: 'inline' })).rejects.toThrow("It needs the mode 'manual'");
});

it('inline runs a durable task until its first wait, and then as signals and the clock say', async () => {
  await start({ mode: 'inline' });
  const id = await flowrra.submit(flows.order, 'o1');
  await flowrra.drain();
  await expect(flowrra).toHaveStep(id, 'Flows.label', { status: 'done' });
  await flowrra.signal(id, 'approval', 'ada');
  await flowrra.clock.advance('1h');
  expect(await flowrra.getResult(id)).toMatchObject({ result: 'charge of o1, label of o1, ada' });
});
