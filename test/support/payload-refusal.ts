import { PayloadError } from '../../lib/job/errors.js';

/** The error with which a payload is refused; throws if it is taken. */
export function refusalOf(run: () => unknown): PayloadError {
  try {
    run();
  } catch (error) {
    if (error instanceof PayloadError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}
