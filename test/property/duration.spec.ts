import fc from 'fast-check';
import { parseDuration } from '../../lib/job/duration.js';
import { FlowrraConfigError } from '../../lib/job/errors.js';

const UNITS = [
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
] as const;

const unit = fc.constantFrom(...UNITS);

describe('parseDuration', () => {
  it('reads whole milliseconds as they are', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (ms) => parseDuration(ms, 'x') === ms));
  });

  it('reads an amount with its unit as amount times unit', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), unit, (amount, [name, milliseconds]) => {
        expect(parseDuration(`${amount}${name}`, 'x')).toBe(amount * milliseconds);
      }),
    );
  });

  it('rounds a fraction by at most half a millisecond', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(99), unit, (whole, hundredths, [name, milliseconds]) => {
        const read = parseDuration(`${whole}.${String(hundredths).padStart(2, '0')}${name}`, 'x');
        expect(Math.abs(read - (whole + hundredths / 100) * milliseconds)).toBeLessThanOrEqual(0.5 + 1e-6);
      }),
    );
  });

  it('returns a whole, safe number that is not negative, or throws a configuration error', () => {
    const given = fc.oneof(
      fc.double(),
      fc.anything(),
      fc.string(),
      fc
        .tuple(fc.double(), fc.constantFrom('ms', 's', 'm', 'h', 'd', 'w', ''))
        .map(([n, name]) => `${n}${name}`),
    );
    fc.assert(
      fc.property(given, (value) => {
        try {
          const read = parseDuration(value, 'x');
          expect(Number.isSafeInteger(read) && read >= 0).toBe(true);
        } catch (error) {
          if (!(error instanceof FlowrraConfigError)) throw error;
          expect(error.message).toMatch(/^x: .* is no duration\./s);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
