import { appendFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { Injectable, Module } from '@nestjs/common';
import { ChildFailedError, FlowrraModule, SignalTimeoutError, Task, TaskContext, TaskCtx } from 'flowrra';

const DAY = 86_400_000;

/** A thread that ends loses its memory. */
function note(text: string): string {
  appendFileSync(process.env['EFFECTS'] as string, `${text}\n`);
  return text;
}

@Injectable()
export class Labels {
  @Task()
  print(order: string, n: number): string {
    return note(`label ${order}/${n} on ${threadId}`);
  }

  @Task({ maxRetries: 0 })
  refuse(): never {
    throw new RangeError('no paper');
  }
}

@Injectable()
export class Work {
  private tries = 0;

  constructor(private readonly labels: Labels) {}

  @Task({ cpuBound: true })
  where(): number {
    return threadId;
  }

  @Task({ cpuBound: true, maxRetries: 1, retryDelay: 1 })
  async fulfil(order: string, @TaskCtx() ctx: TaskContext): Promise<unknown> {
    const at = await ctx.step('charge', ({ key, attempt }) => {
      note(`charge ${key.endsWith('/charge')} ${attempt}`);
      return new Date(0);
    });
    await ctx.sleep('rest', 1);
    if (ctx.attempt === 1) throw new Error('not yet');
    const by = await ctx.waitFor<string>('approval');
    const labels = await Promise.all(
      [1, 2].map((n) => ctx.with({ key: String(n) }).call(this.labels.print, order, n)),
    );
    const sent = await ctx.submit('Labels.print', order, 3);
    const seen: number[] = [];
    const rows = (after = 0): number[] => [1, 2, 3].filter((n) => n > after);
    for await (const row of ctx.each('rows', rows, { cursor: (n) => n, every: 1 })) seen.push(row);
    return { at: at instanceof Date, by, labels, sent, seen, attempt: ctx.attempt };
  }

  /** A wait beside steps: the job is suspended only when both steps have ended. */
  @Task({ cpuBound: true })
  async beside(@TaskCtx() ctx: TaskContext): Promise<void> {
    const steps = async (): Promise<void> => {
      for (const name of ['one', 'two', 'three']) await ctx.step(name, () => note(name));
    };
    await Promise.all([ctx.waitFor('go'), steps()]);
  }

  @Task({ cpuBound: true, maxRetries: 0 })
  async errors(@TaskCtx() ctx: TaskContext): Promise<unknown> {
    const failed = async (call: () => Promise<unknown>): Promise<unknown> =>
      call().catch((error: unknown) => error);
    const child = await failed(() => ctx.call(this.labels.refuse));
    const late = await failed(() => ctx.waitFor('never', { timeout: 1 }));
    const inside = await failed(() => ctx.step('outer', () => ctx.step('inner', () => 1)));
    const twice = await failed(() => Promise.all([ctx.sleep('nap', 0), ctx.sleep('nap', 0)]));
    const unknown = await failed(() => ctx.call(this.helper as never));
    const option = await failed(() => ctx.step('odd', () => 1, { maxRetries: -1 }));
    const slow = await failed(() =>
      ctx.step(
        'slow',
        ({ signal }) => new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason))),
        {
          timeout: 1,
        },
      ),
    );
    const again = await ctx.step(
      'again',
      () => {
        if (++this.tries < 3) throw new Error('once more');
        return this.tries;
      },
      { maxRetries: 2, retryDelay: 1 },
    );
    const messages = [inside, twice, unknown, option, slow].map((error) => (error as Error).message);
    return {
      child: child instanceof ChildFailedError && child.errors.map(({ message }) => message),
      late: late instanceof SignalTimeoutError,
      messages,
      again,
    };
  }

  @Task({ cpuBound: true, maxRetries: 0 })
  async book(how: 'throw' | 'exit', @TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('hotel', () => note('hotel'), { undo: (hotel) => note(`no ${hotel}`) });
    await ctx.step('car', () => note('car'), { undo: (car) => void note(`no ${car}`) });
    await ctx.waitFor('go');
    if (how === 'exit') process.exit(3);
    throw new Error('no flight');
  }

  /** Blocks its thread when it is cancelled. */
  @Task({ cpuBound: true, killGrace: 1 })
  async deaf(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('hotel', () => note('hotel'), { undo: (hotel) => note(`no ${hotel}`) });
    await ctx.step('loop', () => {
      ctx.progress('looping');
      for (const end = Date.now() + DAY; Date.now() < end;);
    });
  }

  @Task({ cpuBound: true })
  async aborted(@TaskCtx() ctx: TaskContext): Promise<void> {
    ctx.signal.addEventListener('abort', () => {
      note((ctx.signal.reason as Error).name);
      ctx.sleep('more', 1).catch((error: unknown) => note((error as Error).name));
    });
    await ctx.waitFor('go');
  }

  private helper(): void {}
}

@Module({ imports: [FlowrraModule.forRoot()], providers: [Labels, Work] })
export default class CpuModule {}
