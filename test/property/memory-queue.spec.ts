import fc from 'fast-check';
import { JobRecord } from '../../lib/engine/memory/job-record.js';
import { MemoryQueue } from '../../lib/engine/memory/memory-queue.js';
import { newJob } from '../support/jobs.js';

const EPOCH = 1_000;

interface Waiting {
  readonly id: string;
  readonly priority: number;
  readonly dueAt: number;
  readonly order: number;
}

function job(queue: MemoryQueue<JobRecord>, id: string, priority: number): JobRecord {
  return new JobRecord(id, newJob({ priority }), queue, EPOCH);
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      priority: fc.nat({ max: 4 }),
      delay: fc.constant(0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      priority: fc.nat({ max: 2_097_151 }),
      delay: fc.nat({ max: 50 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('shift' as const), passes: fc.nat({ max: 20 }) }) },
);

it('returns the lowest priority first and equal priorities in order, also with delayed jobs, like a sorted list', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new MemoryQueue<JobRecord>('q', EPOCH);
      let now = EPOCH;
      let order = 0;
      // Due jobs take their place when they become due: the model appends them in that order.
      const due: Waiting[] = [];
      let delayed: Waiting[] = [];
      for (const [index, next] of steps.entries()) {
        if (next.kind === 'push') {
          const id = `job ${index}`;
          const waiting = { id, priority: next.priority, dueAt: now + next.delay, order: order++ };
          if (next.delay > 0) {
            queue.pushDelayed(job(queue, id, next.priority), waiting.dueAt);
            delayed.push(waiting);
          } else {
            queue.push(job(queue, id, next.priority));
            due.push(waiting);
          }
          continue;
        }
        now += next.passes;
        const ripe = delayed
          .filter(({ dueAt }) => dueAt <= now)
          .sort((a, b) => a.dueAt - b.dueAt || a.order - b.order);
        delayed = delayed.filter(({ dueAt }) => dueAt > now);
        due.push(...ripe);
        const best = due.reduce<Waiting | null>(
          (found, other) => (found === null || other.priority < found.priority ? other : found),
          null,
        );
        expect(queue.shift(now)?.taskId ?? null).toBe(best?.id ?? null);
        if (best) due.splice(due.indexOf(best), 1);
        expect(queue.size).toBe(due.length + delayed.length);
        const nextDelayed = delayed.length > 0 ? Math.min(...delayed.map(({ dueAt }) => dueAt)) : null;
        expect(queue.nextDue({ now: () => now })).toBe(due.length > 0 ? 0 : nextDelayed);
      }
    }),
  );
});

it('a released job comes before jobs of the same priority, and after more urgent jobs', () => {
  const queue = new MemoryQueue<JobRecord>('q', EPOCH);
  queue.push(job(queue, 'equal', 5));
  queue.push(job(queue, 'urgent', 1));
  queue.pushFront(job(queue, 'released', 5));
  expect(
    [queue.shift(EPOCH), queue.shift(EPOCH), queue.shift(EPOCH), queue.shift(EPOCH)].map(
      (next) => next?.taskId,
    ),
  ).toEqual(['urgent', 'released', 'equal', undefined]);
});
