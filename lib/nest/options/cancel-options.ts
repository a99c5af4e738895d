import { wrong } from '../../job/check.js';
import { OptionTable, type RulesOf } from '../../job/rules.js';

/** Options of `cancel()`. */
export interface CancelOptions {
  /**
   * The reason, stored with the job: 1 to 1,000 characters.
   *
   * @defaultValue `'Cancelled'`
   */
  reason?: string;
}

const MAX_REASON_LENGTH = 1_000;

const CANCEL_RULES = new OptionTable({
  reason(value: unknown = 'Cancelled', path): string {
    if (typeof value === 'string' && value !== '' && value.length <= MAX_REASON_LENGTH) return value;
    throw wrong(path, value, `It must be 1 to ${MAX_REASON_LENGTH} characters.`);
  },
} satisfies RulesOf<CancelOptions>);

/**
 * @param what The operation, for errors.
 * @throws {FlowrraConfigError} that names the option, its value and the valid values.
 */
export function resolveCancelOptions(options: CancelOptions, what: string): { readonly reason: string } {
  return CANCEL_RULES.resolve(options, what, '');
}
