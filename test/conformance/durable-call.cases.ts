import { Injectable } from '@nestjs/common';
import { FlowrraService, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import type { Beds, EngineUnderTest } from './engine-under-test.js';

@Injectable()
class Misuse {
  readonly did: string[] = [];
  readonly gate = new Gate();
  /** A context whose method has returned. */
  kept: TaskContext | null = null;

  constructor(readonly flowrra: FlowrraService) {}

  @Task({ maxRetries: 3 })
  async two(@TaskCtx() ctx: TaskContext): Promise<unknown> {
    return Promise.all([ctx.step('a', () => 1), ctx.step('a', () => 2)]);
  }

  @Task({ maxRetries: 3 })
  async inside(call: 'step' | 'sleep' | 'waitFor' | 'call', @TaskCtx() ctx: TaskContext): Promise<unknown> {
    return ctx.step('outer', async () => {
      if (call === 'step') return ctx.step('inner', () => 1);
      if (call === 'sleep') return ctx.sleep('inner', '1h');
      if (call === 'waitFor') return ctx.waitFor('inner');
      return ctx.call(this.other);
    });
  }

  @Task()
  async keep(@TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('a', () => 1);
    this.kept = ctx;
  }

  @Task()
  async forget(@TaskCtx() ctx: TaskContext): Promise<string> {
    void this.unawaited(ctx);
    return ctx.step('a', () => 'a');
  }

  private async unawaited(ctx: TaskContext): Promise<void> {
    await ctx.step('slow', () => this.gate.passed);
    this.did.push('went on');
    await ctx.step('next', () => this.did.push('next'));
  }

  @Task({ maxRetries: 3 })
  async unstorable(@TaskCtx() ctx: TaskContext): Promise<unknown> {
    return ctx.step('a', () => () => this.did.push('a'));
  }

  @Task()
  async numbered(names: string[], @TaskCtx() ctx: TaskContext): Promise<string[]> {
    const values: string[] = [];
    for (const [index, name] of names.entries()) values.push(await ctx.step(name, () => `${index}`));
    return values;
  }

  @Task()
  async signals(@TaskCtx() ctx: TaskContext): Promise<unknown[]> {
    return [await ctx.waitFor('c'), await ctx.waitFor('b:c')];
  }

  @Task()
  async starter(@TaskCtx() ctx: TaskContext): Promise<string> {
    return ctx.step('start', async () => this.flowrra.submit(this.other));
  }

  @Task()
  async other(@TaskCtx() ctx: TaskContext): Promise<string> {
    return ctx.step('a', () => 'other');
  }

  @Task()
  async racer(@TaskCtx() ctx: TaskContext): Promise<string> {
    const first = await Promise.race([
      ctx.call(this.other),
      ctx.sleep('an hour', '1h').then(() => 'late'),
      ctx.waitFor('never').then(() => 'signal'),
    ]);
    const all = await Promise.allSettled([
      ctx.step('bad', () => Promise.reject(new Error('bad'))),
      ctx.step('good', () => 'good'),
    ]);
    return [first, ...all.map(({ status }) => status)].join();
  }

  /** Its step with an `undo` comes first. */
  @Task({ maxRetries: 3 })
  async tooMuch(results: number, characters: number, @TaskCtx() ctx: TaskContext): Promise<void> {
    await ctx.step('first', () => this.did.push('first'), { undo: () => this.did.push('no first') });
    const steps = Array.from({ length: results }, (_, n) => n);
    for (const n of steps) await ctx.step(`step ${n}`, () => 'x'.repeat(characters));
  }

  /** Goes on with less after a step for which the journal has no room. */
  @Task()
  async tooLarge(@TaskCtx() ctx: TaskContext): Promise<string[]> {
    const values: string[] = [];
    const note = (value: string): void => void values.push(value);
    for (let n = 0; n < 8; n++) await ctx.step(`part ${n}`, () => 'x'.repeat(950_000));
    await ctx.step('large', () => 'x'.repeat(950_000)).catch((error: Error) => note(error.name));
    await ctx.step('small', () => 'small').then(note);
    return values;
  }

  @Task()
  async manySignals(count: number, @TaskCtx() ctx: TaskContext): Promise<number> {
    let characters = 0;
    for (let n = 0; n < count; n++) characters += (await ctx.waitFor<string>('go')).length;
    return ctx.step('characters', () => characters);
  }

  /** @param isUnique Whether the name of each step contains its row. */
  @Task()
  async inLoop(isUnique: boolean, @TaskCtx() ctx: TaskContext): Promise<string[]> {
    const did: string[] = [];
    const step = async (name: string): Promise<void> => void did.push(await ctx.step(name, () => name));
    await step('before');
    for await (const row of ctx.each('rows', () => [1, 2, 3], { cursor: (row) => row, every: 1 })) {
      await step(isUnique ? `row ${row}` : 'row');
      if (row === 2) break;
    }
    await step('after');
    await step('after');
    return did;
  }

  @Task()
  async afterLoop(@TaskCtx() ctx: TaskContext): Promise<void> {
    for await (const _ of ctx.each('rows', () => [1], { cursor: (row) => row }))
      await ctx.step('row', () => 1);
    await ctx.step('row', () => 2);
  }

  @Task()
  async rows(@TaskCtx() ctx: TaskContext): Promise<number> {
    let count = 0;
    const from = (after = 0): number[] => Array.from({ length: 12_000 - after }, (_, n) => after + n + 1);
    for await (const row of ctx.each('rows', from, { cursor: (row) => row, every: 10 }))
      count += row > 0 ? 1 : 0;
    for (let n = 0; n < 20; n++)
      for await (const _ of ctx.each('more', from, { cursor: (row) => row, every: 20 })) count++;
    return count;
  }
}

/** Calls that cannot work, and calls that must. */
export function durableCallCases(beds: Beds, engine: EngineUnderTest): void {
  if (engine.cannot.includes('journal')) return;

  it('two steps of one name at once, and calls inside of a step, fail the job at once', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const misuse = app.get(Misuse);
    const ids = [await flowrra.submit(misuse.two)];
    for (const call of ['step', 'sleep', 'waitFor', 'call'] as const)
      ids.push(await flowrra.submit(misuse.inside, call));
    await advance(0);
    for (const id of ids) {
      const { status, errors } = await flowrra.waitForResult(id);
      expect([status, errors.map(({ code }) => code)]).toEqual(['failed', ['FLOWRRA_DURABLE']]);
    }
  });

  it('a call after the method has returned rejects', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const misuse = app.get(Misuse);
    const id = await flowrra.submit(misuse.keep);
    await advance(0);
    await flowrra.waitForResult(id);
    const { kept } = misuse;
    for (const call of [
      kept?.step('b', () => 1),
      kept?.sleep('b', '1h'),
      kept?.waitFor('b'),
      kept?.call(misuse.other),
      kept?.submit(misuse.other),
    ])
      await expect(call).rejects.toMatchObject({ code: 'FLOWRRA_DURABLE' });
  });

  it('a step that is not awaited stores nothing once its job has ended, and its code does not go on', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const misuse = app.get(Misuse);
    const id = await flowrra.submit(misuse.forget);
    await advance(0);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success', result: 'a' });
    misuse.gate.open();
    const next = await flowrra.submit(misuse.other);
    await advance(0);
    await flowrra.waitForResult(next);
    expect(misuse.did).toEqual([]);
    expect((await flowrra.jobs.get(id))?.steps.map(({ name }) => name)).toEqual(['a']);
  });

  it('a result that cannot be stored fails the job without a retry', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const misuse = app.get(Misuse);
    const id = await flowrra.submit(misuse.unstorable);
    await advance(0);
    const { status, errors } = await flowrra.waitForResult(id);
    expect([status, errors.map(({ code }) => code)]).toEqual(['failed', ['FLOWRRA_PAYLOAD']]);
  });

  it('a name that is that of a numbered call is refused; other names are free', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const misuse = app.get(Misuse);
    const fine = await flowrra.submit(misuse.numbered, [
      'a',
      'a',
      'b:1',
      '__proto__',
      ' ',
      'ä:ü',
      "'; --",
      'a',
    ]);
    const bad = await flowrra.submit(misuse.numbered, ['a', 'a', 'a:1']);
    const alsoBad = await flowrra.submit(misuse.numbered, ['a:1', 'a', 'a']);
    await advance(0);
    expect((await flowrra.waitForResult(fine)).result).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    for (const id of [bad, alsoBad])
      expect((await flowrra.waitForResult(id)).errors[0]?.code).toBe('FLOWRRA_DURABLE');
  });

  it('a job whose journal is full fails without a retry, and its steps are undone', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const misuse = app.get(Misuse);
    const id = await flowrra.submit(misuse.tooMuch, 9, 1_000_000);
    await advance(0);
    const { status, errors } = await flowrra.waitForResult(id);
    expect([status, errors.map(({ code }) => code)]).toEqual(['failed', ['FLOWRRA_JOURNAL_FULL']]);
    expect(misuse.did).toEqual(['first', 'no first']);
  });

  it('a job may go on after a step for which its journal has no room', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const id = await flowrra.submit(app.get(Misuse).tooLarge);
    await advance(0);
    expect((await flowrra.waitForResult(id)).result).toEqual(['JournalFullError', 'small']);
  });

  it('the values of signals take no room from the steps of a job', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const id = await flowrra.submit(app.get(Misuse).manySignals, 10);
    for (let n = 0; n < 10; n++) await flowrra.signal(id, 'go', 'x'.repeat(900_000));
    await advance(1_000);
    expect((await flowrra.waitForResult(id)).result).toBe(9_000_000);
  });

  it('in a loop of each, a second call of one name is rejected, also after the loop', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const misuse = app.get(Misuse);
    const good = await flowrra.submit(misuse.inLoop, true);
    const bad = [await flowrra.submit(misuse.inLoop, false), await flowrra.submit(misuse.afterLoop)];
    await advance(0);
    expect((await flowrra.waitForResult(good)).result).toEqual([
      'before',
      'row 1',
      'row 2',
      'after',
      'after',
    ]);
    for (const id of bad) {
      const [error] = (await flowrra.waitForResult(id)).errors;
      expect([error?.code, error?.message]).toEqual([
        'FLOWRRA_DURABLE',
        expect.stringMatching(/^ctx\.step\(\): 'row' is used more than once in a job with ctx\.each\(\)\./),
      ]);
    }
  });

  it('signals to unknown, finished and removed jobs are rejected', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const id = await flowrra.submit(app.get(Misuse).other);
    await advance(0);
    await flowrra.waitForResult(id);
    await expect(flowrra.signal(id, 'go')).rejects.toMatchObject({ code: 'FLOWRRA_JOB_FINISHED' });
    expect(await flowrra.jobs.remove(id)).toBe(true);
    for (const taskId of [id, 'unknown', '', 'a:b', '../..'])
      await expect(flowrra.signal(taskId, 'go')).rejects.toMatchObject({
        code: expect.stringMatching(/^FLOWRRA_RESULT_(NOT_FOUND|EXPIRED)$/),
      });
  });

  it('signals whose ids and names contain colons are different ones', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const id = await flowrra.submit(app.get(Misuse).signals);
    await flowrra.signal(id, 'c', 1, { id: 'a:b' });
    await flowrra.signal(id, 'c', 3, { id: 'a:b' });
    await flowrra.signal(id, 'b:c', 2, { id: 'a' });
    await advance(1_000);
    expect((await flowrra.waitForResult(id)).result).toEqual([1, 2]);
  });

  it('a step may start a job that has steps', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const id = await flowrra.submit(app.get(Misuse).starter);
    await advance(1_000);
    const { result } = await flowrra.waitForResult<string>(id);
    await advance(0);
    expect((await flowrra.waitForResult(result as string)).result).toBe('other');
  });

  it('Promise.race and Promise.allSettled work', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const id = await flowrra.submit(app.get(Misuse).racer);
    await advance(2_000);
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ result: 'other,rejected,fulfilled' });
  });

  // The journal of an attempt counts its entries: more than 10,000 writes are enough on one engine.
  if (engine.folder !== 'memory') return;

  it('a job of more than 10,000 steps fails, and its first step is undone', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const misuse = app.get(Misuse);
    const id = await flowrra.submit(misuse.tooMuch, 10_000, 1);
    await advance(0);
    expect((await flowrra.waitForResult(id)).errors[0]?.code).toBe('FLOWRRA_JOURNAL_FULL');
    expect(misuse.did).toEqual(['first', 'no first']);
  });

  it('a job accepts 25,000 signals, and rejects more', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const id = await flowrra.submit(app.get(Misuse).signals);
    await advance(0);
    for (let n = 0; n < 25_000; n++) await flowrra.signal(id, 'another', n);
    await expect(flowrra.signal(id, 'another')).rejects.toMatchObject({ code: 'FLOWRRA_JOURNAL_FULL' });
    expect(await flowrra.cancel(id)).toBe(true);
    await advance(2_000);
    expect((await flowrra.waitForResult(id)).status).toBe('cancelled');
  });

  it('a position that is stored again and again takes the place of one entry', async () => {
    const { app, flowrra, advance } = await beds.start([Misuse]);
    const id = await flowrra.submit(app.get(Misuse).rows);
    await advance(0);
    const { error, result } = await flowrra.waitForResult(id);
    expect([error, result]).toEqual([null, 252_000]);
  });
}
