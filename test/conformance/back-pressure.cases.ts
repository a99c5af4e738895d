import { ExecutorNotRunningError, QueueFullError } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import type { Beds } from './engine-under-test.js';

export function backPressureCases(beds: Beds): void {
  async function start(whenFull: 'wait' | 'reject') {
    const bed = await beds.start([], { maxPending: 2, whenFull, numWorkers: 1 });
    const gate = new Gate();
    bed.flowrra.register({ name: 'hold' }, () => gate.passed);
    bed.flowrra.register({ name: 'echo' }, (value: number) => value);
    await bed.flowrra.submit('hold');
    await bed.advance(0);
    return { ...bed, gate };
  }

  it('at maxPending, submit rejects when it is told to', async () => {
    const { flowrra, gate } = await start('reject');
    const ids = [await flowrra.submit('echo', 1), await flowrra.submit('echo', 2)];
    await expect(flowrra.submit('echo', 3)).rejects.toThrow(QueueFullError);
    await expect(flowrra.submitMany('echo', [[4]])).rejects.toThrow(QueueFullError);
    gate.open();
    await flowrra.waitForResult(ids[1] as string);
    expect((await flowrra.waitForResult(await flowrra.submit('echo', 5))).result).toBe(5);
  });

  it('holds the bound against submissions of the same moment', async () => {
    const { flowrra } = await start('reject');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => flowrra.submit('echo', n)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(await flowrra.pendingCount()).toBe(2);
  });

  it('otherwise submit waits for room, first come, first served', async () => {
    const { flowrra, gate, advance } = await start('wait');
    const admitted: number[] = [];
    const submissions = Array.from({ length: 6 }, (_, n) =>
      flowrra.submit('echo', n).then((id) => {
        admitted.push(n);
        return id;
      }),
    );
    await advance(0);
    expect(admitted).toEqual([0, 1]);
    expect(await flowrra.pendingCount()).toBe(2);
    gate.open();
    await advance(0);
    const results = await Promise.all(
      submissions.map(async (id) => (await flowrra.waitForResult(await id)).result),
    );
    expect(results).toEqual([0, 1, 2, 3, 4, 5]);
    expect(admitted).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('refuses more at once than could ever fit', async () => {
    const { flowrra } = await start('wait');
    await expect(flowrra.submitMany('echo', [[1], [2], [3]])).rejects.toThrow(QueueFullError);
  });

  it('never blocks a retry, nor what a running task submits itself', async () => {
    const { flowrra, advance } = await beds.start([], { maxPending: 1, numWorkers: 1 });
    let attempts = 0;
    flowrra.register({ name: 'child' }, (n: number) => n);
    flowrra.register({ name: 'parent', retryDelay: 0 }, async () => {
      const children = await Promise.all([1, 2, 3].map((n) => flowrra.submit('child', n)));
      if (++attempts === 1) throw new Error('again');
      return children;
    });
    const id = await flowrra.submit('parent');
    await advance(1_000);
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'success', retries: 1 });
    expect(await flowrra.pendingCount()).toBe(0);
  });

  it('a submission that waits is refused when the executor stops', async () => {
    const { flowrra, advance } = await start('wait');
    await flowrra.submitMany('echo', [[1], [2]]);
    const waiting = expect(flowrra.submit('echo', 3)).rejects.toThrow(ExecutorNotRunningError);
    await advance(0);
    const stopped = flowrra.stop({ wait: false });
    await advance(60_000);
    await Promise.all([stopped, waiting]);
  });

  it('a job that is cancelled makes room', async () => {
    const { flowrra, advance } = await start('wait');
    const later = flowrra.with({ delay: '1h' });
    const [first] = [await later.submit('echo', 1), await later.submit('echo', 2)];
    const third = later.submit('echo', 3);
    await advance(0);
    await flowrra.cancel(first);
    await advance(1_000);
    expect(await flowrra.getResult(await third)).toMatchObject({ status: 'pending' });
    expect(await flowrra.pendingCount()).toBe(2);
  });

  it.each(['wait', 'reject'] as const)('what adds nothing needs no room: %s', async (whenFull) => {
    const { flowrra, gate, advance } = await start(whenFull);
    const once = flowrra.with({ dedupe: { key: 'k' }, delay: '1m' });
    const last = flowrra.with({ dedupe: { key: 'l', mode: 'debounce', ttl: '1m' } });
    const first = await once.submit('echo', 1);
    const second = await last.submit('echo', 2);
    expect(await once.submit('echo', 3)).toBe(first);
    expect(await last.submit('echo', 4)).toBe(second);
    expect(await flowrra.with({ dedupe: { key: 'k' } }).submitMany('echo', [[5], [6]])).toEqual([
      first,
      first,
    ]);
    expect(await flowrra.with({ taskId: first }).submit('echo', 7)).toBe(first);
    expect(await flowrra.pendingCount()).toBe(2);
    gate.open();
    await advance(61_000);
    expect((await flowrra.waitForResult(second)).result).toBe(4);
  });
}
