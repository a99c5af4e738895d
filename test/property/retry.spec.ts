import fc from 'fast-check';
import { retryDelay, type TaskPolicy } from '../../lib/job/policy.js';

const YEAR = 365 * 86_400_000;
/** From [0, 1), as `Math.random` draws. */
const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempt = fc.oneof(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 10_000 }));
const policy: fc.Arbitrary<TaskPolicy> = fc.record({
  maxRetries: fc.oneof(fc.nat(), fc.constant(Infinity)),
  retryDelay: fc.oneof(fc.constant(0), fc.nat(10_000), fc.nat(YEAR)),
  backoff: fc.constantFrom<'fixed' | 'exponential'>('fixed', 'exponential'),
  maxRetryDelay: fc.oneof(fc.nat(10_000), fc.nat(YEAR), fc.constant(Number.MAX_SAFE_INTEGER)),
  jitter: fc.boolean(),
  timeout: fc.constant(Infinity),
  killGrace: fc.constant(0),
  expires: fc.constant(Infinity),
  deadLetter: fc.constant(null),
});

const without = (jittered: TaskPolicy): TaskPolicy => ({ ...jittered, jitter: false });
const delayOf = (of: TaskPolicy, after: number, random = 0.5): number =>
  retryDelay(of, after, null, () => random);

describe('retryDelay', () => {
  it('is a whole, safe number that is not negative, for every policy', () => {
    fc.assert(
      fc.property(policy, attempt, draw, (of, after, random) => {
        const delay = delayOf(of, after, random);
        expect(Number.isSafeInteger(delay) && delay >= 0).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('never shrinks from one attempt to the next, without jitter', () => {
    fc.assert(
      fc.property(policy.map(without), attempt, (of, after) => delayOf(of, after) <= delayOf(of, after + 1)),
      { numRuns: 1_000 },
    );
  });

  it("'exponential' doubles until the cap, and stays there", () => {
    fc.assert(
      fc.property(policy.map(without), attempt, (any, after) => {
        const of: TaskPolicy = { ...any, backoff: 'exponential' };
        const doubled = 2 * delayOf(of, after);
        expect(delayOf(of, 1)).toBe(Math.min(of.retryDelay, of.maxRetryDelay));
        expect(delayOf(of, after + 1)).toBe(Math.min(doubled, of.maxRetryDelay));
      }),
      { numRuns: 1_000 },
    );
  });

  it('full jitter lies between 0 and the delay without it, and grows with the drawn number', () => {
    fc.assert(
      fc.property(policy.map(without), attempt, draw, draw, (of, after, one, other) => {
        const [low, high] = [one, other].sort((a, b) => a - b) as [number, number];
        const jittered = { ...of, jitter: true };
        const [small, large] = [delayOf(jittered, after, low), delayOf(jittered, after, high)];
        expect(small).toBeGreaterThanOrEqual(0);
        expect(small).toBeLessThanOrEqual(large);
        expect(large).toBeLessThanOrEqual(delayOf(of, after));
      }),
      { numRuns: 1_000 },
    );
  });

  it('full jitter reaches both ends', () => {
    fc.assert(
      fc.property(policy.map(without), attempt, (of, after) => {
        fc.pre(delayOf(of, after) <= YEAR);
        const jittered = { ...of, jitter: true };
        expect(delayOf(jittered, after, 0)).toBe(0);
        expect(delayOf(jittered, after, 1 - 2 ** -53)).toBe(delayOf(of, after));
      }),
    );
  });
});
