import { FlowrraConfigError } from './errors.js';
import { showValue } from './show-value.js';

/** Milliseconds as a number, or an amount with its unit: `'250ms'`, `'2s'`, `'5m'`, `'1.5h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const PATTERN = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;

/**
 * Reads a duration as whole milliseconds; a fraction is rounded.
 *
 * @param value The duration as the user wrote it.
 * @param name Names the value in the error, such as `retryDelay`.
 * @throws {FlowrraConfigError} if it is negative, infinite, or not a duration.
 */
export function parseDuration(value: unknown, name: string): number {
  const parsed = typeof value === 'number' ? value : fromText(value);
  if (parsed === undefined || !Number.isFinite(parsed) || parsed < 0 || parsed > Number.MAX_SAFE_INTEGER) {
    throw new FlowrraConfigError(
      `${name}: ${showValue(value)} is no duration. Give milliseconds as a number, or an amount with its unit such as '250ms', '2s', '5m', '1h' or '7d'.`,
    );
  }
  return Math.round(parsed);
}

function fromText(value: unknown): number | undefined {
  const match = typeof value === 'string' ? PATTERN.exec(value.trim()) : null;
  return match ? Number(match[1]) * MILLISECONDS[match[2] as keyof typeof MILLISECONDS] : undefined;
}
