import { checkObject, wrong } from './check.js';
import { PayloadError } from './errors.js';
import type { PolicyOverrides } from './policy.js';
import { duration, oneOf, optional, OptionTable, type RulesOf, timeLimit, wholeNumber } from './rules.js';

const storableBackoff = oneOf(['fixed', 'exponential']);

/** The options of a submission that override its task's policy. */
export const OVERRIDE_RULES = {
  maxRetries: wholeNumber({ min: 0, infinite: true }),
  retryDelay: duration(),
  backoff(value: unknown, path: string) {
    if (typeof value !== 'function') return storableBackoff(value, path);
    throw wrong(
      path,
      value,
      "A function cannot be stored with a job: give it to @Task(), or use 'fixed' or 'exponential' here.",
    );
  },
  timeout: optional(timeLimit),
} satisfies RulesOf<Omit<PolicyOverrides, 'expires' | 'validFrom'>>;

const STORED_RULES = new OptionTable({
  ...OVERRIDE_RULES,
  expires: optional(timeLimit),
  validFrom: wholeNumber({ min: 0 }),
} satisfies RulesOf<PolicyOverrides>);

/**
 * The overrides without those that are `undefined`, which would hide the task's own settings. `undefined` if
 * none is left.
 */
export function definedOverrides(overrides: PolicyOverrides): PolicyOverrides | undefined {
  let defined: Record<string, unknown> | undefined;
  for (const key of STORED_RULES.keys) {
    const value = (overrides as Readonly<Record<string, unknown>>)[key];
    if (value !== undefined) (defined ??= {})[key] = value;
  }
  return defined;
}

/**
 * Reads overrides from a store.
 *
 * @throws {PayloadError} if no submission can have stored them.
 */
export function overridesFrom(stored: unknown): PolicyOverrides {
  try {
    checkObject(stored, 'overrides', 'They must be an object.');
    return definedOverrides(STORED_RULES.apply(stored, '')) ?? {};
  } catch (cause) {
    throw new PayloadError('overrides', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
