import { bullmq } from '../../lib/engine/bullmq/index.js';
import type { ConnectedBullMq } from '../../lib/engine/bullmq/connected-bullmq.js';
import type { Attempt } from '../../lib/job/job.js';
import { systemClock } from '../../lib/job/clock.js';
import type { Outcome } from '../../lib/job/outcome.js';
import type { Run } from '../../lib/run/run.js';
import { hostWithoutRuns } from '../support/engine-host.js';
import { Gate } from '../support/gate.js';
import { newJob } from '../support/jobs.js';
import { until } from '../support/until.js';
import { place } from './apps.js';
import { onBoth } from './on-both.js';

const SUSPENDED: Outcome = { kind: 'suspended', delay: null, seen: 0 };
const SUCCESS: Outcome = { kind: 'success', result: null };
const STEP = { key: 'step', body: '1' };

/** A run of which the test decides the outcome. */
class HeldRun {
  cancelReason: string | null = null;
  readonly isLost = false;
  readonly aborted = false;
  readonly index = -1;
  readonly cancelled = new Gate();

  constructor(
    readonly attempt: Attempt,
    private readonly code: (run: HeldRun) => Promise<Outcome>,
  ) {}

  start(ended: (outcome: Outcome) => void): void {
    void this.code(this).then(ended);
  }

  cancel(reason: string): void {
    this.cancelReason = reason;
    this.cancelled.open();
  }
}

await onBoth(({ url }) => {
  const open: ConnectedBullMq[] = [];

  afterEach(async () => {
    for (const connected of open.splice(0)) {
      await connected.drain(0, 0);
      await connected.close();
    }
  });

  /** An engine whose runs do what `code` does, and the starts of its attempts. */
  async function connect(
    code: (connected: ConnectedBullMq, run: HeldRun) => Promise<Outcome>,
    prefix = place(),
  ) {
    const starts: { readonly isResumed: boolean | undefined; readonly reason: string | null }[] = [];
    const host = {
      ...hostWithoutRuns(systemClock),
      run: (attempt: Attempt): Run =>
        new HeldRun(attempt, (run) => {
          starts.push({ isResumed: attempt.isResumed, reason: run.cancelReason });
          return code(connected, run);
        }) as unknown as Run,
    };
    const engine = bullmq({ connection: url, prefix, bullmq: { worker: { drainDelay: 0.05 } } });
    const connected = (await engine.connect(host)) as ConnectedBullMq;
    open.push(connected);
    await connected.consume();
    const submit = async (): Promise<string> =>
      (await connected.enqueue(newJob({ queue: 'default' }))) as string;
    const becomes = (id: string, status: string): Promise<unknown> =>
      until(async () => (await connected.results.get(id))?.status === status, {
        describe: `the job is ${status}`,
      });
    return { connected, starts, submit, becomes, prefix };
  }

  it('a later attempt of a job with a journal is resumed, and a message starts it', async () => {
    const { connected, starts, submit, becomes } = await connect(async ({ journals }, { attempt }) => {
      if (attempt.isResumed) return SUCCESS;
      expect(await journals.append(attempt, [STEP])).toBe(true);
      return SUSPENDED;
    });
    const id = await submit();
    await becomes(id, 'suspended');
    expect(await connected.pendingCount()).toBe(0);
    const [counts] = await connected.control.counts();
    expect(counts).toMatchObject({ suspended: 1, pending: 0, running: 0 });
    expect(await connected.control.job(id)).toMatchObject({ status: 'suspended', dueAt: null, retries: 0 });
    const query = { limit: 10, cursor: null, task: undefined, queue: undefined, tag: undefined };
    const times = { from: undefined, to: undefined, finishedBefore: undefined };
    const find = async (status: 'suspended' | 'pending'): Promise<string[]> =>
      (await connected.control.find({ ...query, ...times, status: [status] })).rows.map(
        ({ taskId }) => taskId,
      );
    expect([await find('suspended'), await find('pending')]).toEqual([[id], []]);
    const all = await connected.control.find({ ...query, ...times, status: undefined });
    expect(all.rows.map(({ taskId, status }) => [taskId, status])).toEqual([[id, 'suspended']]);
    expect(await connected.journals.post(id, { key: 'm', body: '2' })).toBe('posted');
    await becomes(id, 'success');
    expect(starts).toEqual([
      { isResumed: false, reason: null },
      { isResumed: true, reason: null },
    ]);
    expect(await connected.journals.read(id)).toEqual({ entries: [STEP, { key: 'm', body: '2' }], posts: 1 });
    expect(await connected.journals.post(id, STEP)).toBe('finished');
    expect(await connected.control.remove(id)).toBe(true);
    expect(await connected.journals.read(id)).toEqual({ entries: [], posts: 0 });
    expect(await connected.journals.post(id, STEP)).toBe('unknown');
  });

  it('a running job with a journal that another process cancels is signalled, and never ends without a run', async () => {
    const running = new Gate();
    const { starts, submit, becomes, prefix } = await connect(async ({ journals }, run) => {
      if (run.attempt.isResumed) return { kind: 'cancelled', reason: run.cancelReason ?? 'by the journal' };
      await journals.append(run.attempt, [STEP]);
      running.open();
      await run.cancelled.passed;
      // The attempt ends without the cancellation, as if it had not heard of it.
      return { kind: 'snoozed', delay: 0 };
    });
    const id = await submit();
    await running.passed;
    const other = await bullmq({ connection: url, prefix }).connect(hostWithoutRuns(systemClock));
    open.push(other as ConnectedBullMq);
    expect(await other.control?.cancel(id, 'no longer wanted')).toEqual({ kind: 'signalled' });
    await becomes(id, 'cancelled');
    expect(starts).toHaveLength(2);
    expect(starts[1]?.isResumed).toBe(true);
  });

  it('a suspended job that is cancelled runs once more, and its journal tells why', async () => {
    const { connected, starts, submit, becomes } = await connect(async ({ journals }, { attempt }) => {
      if (attempt.isResumed) {
        const { entries } = await journals.read(attempt.taskId);
        return {
          kind: 'cancelled',
          reason: (JSON.parse(entries.at(-1)?.body ?? '') as { reason: string }).reason,
        };
      }
      await journals.append(attempt, [STEP]);
      return SUSPENDED;
    });
    const id = await submit();
    await becomes(id, 'suspended');
    expect(await connected.control.cancel(id, 'no longer wanted')).toEqual({ kind: 'signalled' });
    await becomes(id, 'cancelled');
    expect((await connected.results.get(id))?.error).toBe('no longer wanted');
    expect(starts[1]).toEqual({ isResumed: true, reason: null });
  });
});
