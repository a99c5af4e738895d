import { parseDuration } from '../../lib/job/duration.js';
import { FlowrraConfigError } from '../../lib/job/errors.js';
import { configError } from '../support/config-error.js';

describe('parseDuration', () => {
  it.each([
    [0, 0],
    [1500, 1500],
    [1.4, 1],
    ['0s', 0],
    ['250ms', 250],
    ['2s', 2_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    [' 2 s ', 2_000],
    ['1.0005s', 1_001],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ])('reads %p as %p ms', (given, milliseconds) => {
    expect(parseDuration(given, 'delay')).toBe(milliseconds);
  });

  it.each([
    [-1, '-1'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [Number.MAX_SAFE_INTEGER + 1, '9007199254740992'],
    ['', "''"],
    ['5', "'5'"],
    ['s', "'s'"],
    ['-2s', "'-2s'"],
    ['2 weeks', "'2 weeks'"],
    ['2S', "'2S'"],
    ['1h30m', "'1h30m'"],
    ['1.s', "'1.s'"],
    ['99999999999999d', "'99999999999999d'"],
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [5n, '5'],
    [Symbol('later'), 'Symbol(later)'],
    [new Date(0), 'a Date'],
    [[5], 'an array'],
    [Promise.resolve(5), 'a Promise'],
    [Object.create(null), 'an object'],
    [() => 5, 'the function (anonymous)'],
  ])('refuses %p and shows it as %s', (given, shown) => {
    expect(configError(() => parseDuration(given, 'retryDelay'))).toBe(
      `retryDelay: ${shown} is no duration. Give milliseconds as a number, or an amount with its unit such as '250ms', '2s', '5m', '1h' or '7d'.`,
    );
  });

  it('rejects with a stable code', () => {
    expect(() => parseDuration('soon', 'delay')).toThrow(FlowrraConfigError);
    expect(() => parseDuration('soon', 'delay')).toThrow(expect.objectContaining({ code: 'FLOWRRA_CONFIG' }));
  });

  it('does not show a whole document', () => {
    expect(configError(() => parseDuration('x'.repeat(10_000), 'delay'))).toContain(`'${'x'.repeat(80)}…'`);
  });

  it('runs no code of the value to show it', () => {
    const hostile = {
      toString: () => {
        throw new Error('called');
      },
      get then(): never {
        throw new Error('read');
      },
    };
    expect(configError(() => parseDuration(hostile, 'delay'))).toContain('delay: an object is no duration.');
  });
});
