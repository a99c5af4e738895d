import { PayloadError } from '../core/errors.js';
import { checkObject } from '../options/check.js';
import { resolveOverrides } from '../options/resolve-submit-options.js';
import type { PolicyOverrides } from '../options/resolved-options.js';

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
