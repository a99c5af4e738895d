import { FlowrraConfigError } from '../../lib/job/errors.js';

/** The message of the configuration error that `fn` throws; anything else fails the test. */
export function configError(fn: () => unknown): string {
  let value: unknown;
  try {
    value = fn();
  } catch (error) {
    if (error instanceof FlowrraConfigError) return error.message;
    throw error;
  }
  throw new Error(`Nothing was thrown; it returned ${JSON.stringify(value)}`);
}
