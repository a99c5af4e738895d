import { PayloadError } from '../../lib/job/errors.js';

/** The error of a rejected payload; throws if the payload is accepted. */
export function rejectionOf(run: () => unknown): PayloadError {
  try {
    run();
  } catch (error) {
    if (error instanceof PayloadError) return error;
    throw error;
  }
  throw new Error('The payload was not rejected.');
}
