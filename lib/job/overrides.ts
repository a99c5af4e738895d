import { checkObject, oneOf, timeLimit, wholeNumber, wrong } from './check.js';
import { parseDuration } from './duration.js';
import { PayloadError } from './errors.js';
import type { PolicyOverrides } from './policy.js';

/** The options of a submission that override its task's policy, unchecked. */
type OverrideOptions = { readonly [K in keyof PolicyOverrides]?: unknown };

/**
 * `undefined` if the job is to be treated as its task says.
 *
 * @throws {FlowrraConfigError} naming what is wrong.
 */
export function resolveOverrides(options: OverrideOptions): PolicyOverrides | undefined {
  const { maxRetries, retryDelay, timeout, expires, validFrom } = options;
  const { backoff } = options;
  const given = [maxRetries, retryDelay, backoff, timeout, expires, validFrom].some(
    (value) => value !== undefined,
  );
  if (!given) return undefined;
  if (typeof backoff === 'function') {
    throw wrong(
      'backoff',
      backoff,
      "A function cannot travel with a job: give it to @Task(), or use 'fixed' or 'exponential' here.",
    );
  }
  return {
    ...(maxRetries !== undefined && {
      maxRetries: wholeNumber(maxRetries, 'maxRetries', { min: 0, infinite: true, fallback: 0 }),
    }),
    ...(retryDelay !== undefined && { retryDelay: parseDuration(retryDelay, 'retryDelay') }),
    ...(backoff !== undefined && {
      backoff: oneOf<'fixed' | 'exponential'>(backoff, 'backoff', ['fixed', 'exponential'], 'fixed'),
    }),
    ...(timeout !== undefined && { timeout: timeLimit(timeout, 'timeout') }),
    ...(expires !== undefined && { expires: timeLimit(expires, 'expires') }),
    ...(validFrom !== undefined && {
      validFrom: wholeNumber(validFrom, 'validFrom', { min: 0, fallback: 0 }),
    }),
  };
}

/** @throws {PayloadError} if they are not what a submission could have left there. */
export function overridesFrom(overrides: unknown): PolicyOverrides {
  try {
    checkObject(overrides, 'overrides', 'They must be an object.');
    const resolved = resolveOverrides(overrides);
    if (resolved !== undefined) return resolved;
  } catch (cause) {
    throw new PayloadError('overrides', cause instanceof Error ? cause.message : String(cause), { cause });
  }
  return {};
}
