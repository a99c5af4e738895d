import type { Clock } from '../../job/clock.js';
import { type LazyAbort, pauseUntil } from '../lazy-abort.js';

const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

/**
 * Repeats a call to the engine until the engine has answered: an outage uses up no retry of a durable job.
 *
 * @param end Ends the repetition: the last error is thrown.
 * @param isOutage Whether an error means that the engine has not answered.
 */
export async function untilAnswered<T>(
  clock: Clock,
  end: LazyAbort,
  call: () => T | Promise<T>,
  isOutage: (error: unknown) => boolean = () => true,
): Promise<T> {
  for (let pause = MIN_PAUSE_MS; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
    try {
      return await call();
    } catch (error) {
      if (end.aborted || !isOutage(error)) throw error;
      await pauseUntil(end, pause, clock);
    }
  }
}
