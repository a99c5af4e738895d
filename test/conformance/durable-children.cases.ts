import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { Submitter } from '../../lib/run/submitter.js';
import type { Beds, EngineUnderTest } from './engine-under-test.js';

/** The most child jobs that are submitted together. */
const GROUP = 1_000;
/** The fewest child jobs for each attempt of their parent. An attempt reads the whole journal. */
const CHILDREN_PER_ATTEMPT = 10;

@Injectable()
class Family {
  /** The number of the parent's attempts. */
  attempts = 0;
  /** How often each child has run. */
  readonly runs = new Map<number, number>();

  @Task({ maxRetries: 0 })
  async parent(children: number, @TaskCtx() ctx: TaskContext): Promise<number> {
    this.attempts++;
    const numbers = Array.from({ length: children }, (_, n) => n);
    const results = await Promise.all(numbers.map((n) => ctx.with({ key: String(n) }).call(this.child, n)));
    return results.reduce((sum, n) => sum + n, 0);
  }

  @Task()
  child(n: number): number {
    this.runs.set(n, (this.runs.get(n) ?? 0) + 1);
    return n;
  }
}

/** A durable job with many child jobs: on an engine without a server, as many as a journal holds. */
export function durableChildrenCases(beds: Beds, engine: EngineUnderTest): void {
  if (engine.cannot.includes('journal')) return;
  afterEach(() => jest.restoreAllMocks());
  const children = engine.folder === 'bullmq' ? 1_000 : 10_000;

  it(`${children} child jobs are submitted in groups, each runs once, and their parent has few attempts`, async () => {
    const { app, flowrra, advance } = await beds.start([Family], { numWorkers: 50 });
    const family = app.get(Family);
    const submitted = jest.spyOn(Submitter.prototype, 'submitMany');
    const id = await flowrra.submit(family.parent, children);
    await advance(60_000);
    const { error, result } = await flowrra.waitForResult(id);
    expect([error, result]).toEqual([null, (children * (children - 1)) / 2]);
    expect(submitted.mock.calls.map(([, some]) => some.length)).toEqual(Array(children / GROUP).fill(GROUP));
    expect(family.runs.size).toBe(children);
    expect(new Set(family.runs.values())).toEqual(new Set([1]));
    expect(family.attempts).toBeLessThanOrEqual(children / CHILDREN_PER_ATTEMPT);
  });
}
