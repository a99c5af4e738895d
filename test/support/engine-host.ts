import type { EngineHost } from '../../lib/engine/engine.js';
import type { Clock } from '../../lib/job/clock.js';
import { queueOf } from './jobs.js';

/** The host of an engine that is connected without an application, and runs no jobs. */
export function hostWithoutRuns(clock: Clock): EngineHost {
  return {
    queues: [queueOf('default')],
    clock,
    retention: { resultTtl: 3_600_000, maxResults: 1_000 },
    backPressure: { maxPending: Infinity, whenFull: 'wait' },
    closing: new AbortController().signal,
    run: () => {
      throw new Error('This connection runs no jobs.');
    },
    notify: () => undefined,
  };
}
