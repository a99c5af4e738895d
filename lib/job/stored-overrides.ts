import { PayloadError } from './errors.js';
import { checkObject } from './check.js';
import { resolveOverrides } from '../nest/options/resolve-submit-options.js';
import type { PolicyOverrides } from '../nest/options/resolved-options.js';

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
