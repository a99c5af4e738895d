import { pathToFileURL } from 'node:url';
import {
  byName,
  date,
  duration,
  fileUrl,
  flag,
  nested,
  oneOf,
  optional,
  OptionTable,
  required,
  type Rule,
  type RulesOf,
  text,
  timeLimit,
  wholeNumber,
  withMethods,
} from '../../lib/job/rules.js';
import { checkTaskName } from '../../lib/job/names.js';
import { configError } from '../support/config-error.js';

interface Options {
  size?: number;
  mode?: 'fast' | 'slow';
  inner?: { on?: boolean };
}

const RULES = new OptionTable({
  size: wholeNumber({ min: 1, default: 4 }),
  mode: oneOf(['fast', 'slow'], 'fast'),
  inner: nested(new OptionTable({ on: flag(false) })),
} satisfies RulesOf<Options>);

describe('a table of rules', () => {
  it('fills in every default, nested ones included', () => {
    expect(RULES.resolve({}, 'box')).toEqual({ size: 4, mode: 'fast', inner: { on: false } });
    expect(RULES.resolve({ size: 2, inner: { on: true } }, 'box')).toEqual({
      size: 2,
      mode: 'fast',
      inner: { on: true },
    });
  });

  it('has a result type that is derived from it', () => {
    const { size, mode, inner } = RULES.resolve({}, 'box');
    const typed: { size: number; mode: 'fast' | 'slow'; on: boolean } = { size, mode, on: inner.on };
    expect(typed).toEqual({ size: 4, mode: 'fast', on: false });
  });

  it('names the option in errors, by default below the name of the whole', () => {
    expect(configError(() => RULES.resolve({ size: 0 }, 'box'))).toMatch(/^box\.size: 0 is not valid\./);
    expect(configError(() => RULES.resolve({ size: 0 }, 'box', 'the '))).toMatch(/^the size: 0/);
    expect(configError(() => RULES.resolve({ inner: { on: 1 } }, 'box'))).toMatch(/^box\.inner\.on: 1/);
  });

  it('rejects an unknown option with a suggestion, unless told to ignore it', () => {
    expect(configError(() => RULES.resolve({ sise: 1 }, 'box'))).toBe(
      "box: unknown option 'sise' (given 1). Did you mean 'size'? Known: size, mode, inner.",
    );
    expect(RULES.apply({ sise: 1 }, '').size).toBe(4);
  });

  it('requires an option whose rule rejects a missing value', () => {
    const table = new OptionTable({ size: required(wholeNumber({ min: 1 })) });
    expect(table.resolve({ size: 2 }, 'box')).toEqual({ size: 2 });
    expect(configError(() => table.resolve({}, 'box'))).toBe(
      'box.size: undefined is not valid. It is required.',
    );
  });

  it('reads options of a class, inherited ones included', () => {
    class Config {
      get size() {
        return 7;
      }
    }
    expect(RULES.resolve(new Config(), 'box').size).toBe(7);
  });
});

/** The error for a value. */
const rejection = (rule: Rule<unknown>, value: unknown): string => configError(() => rule(value, 'n'));

describe('a rule', () => {
  it('wholeNumber says which numbers are valid', () => {
    expect(rejection(wholeNumber({ min: 1 }), 1.5)).toBe(
      'n: 1.5 is not valid. It must be a whole number of at least 1.',
    );
    expect(rejection(wholeNumber({ min: 0, max: 9 }), 10)).toBe(
      'n: 10 is not valid. It must be a whole number from 0 to 9.',
    );
    expect(rejection(wholeNumber({ min: 0, infinite: true }), -1)).toBe(
      'n: -1 is not valid. It must be a whole number of at least 0, or Infinity.',
    );
    expect(wholeNumber({ min: 0, infinite: true })(Infinity, 'n')).toBe(Infinity);
    expect(rejection(wholeNumber({ min: 0 }), Infinity)).toMatch('n: Infinity is not valid.');
    expect(wholeNumber({ min: 0 })(undefined, 'n')).toBeUndefined();
  });

  it('duration resolves values and its default to milliseconds, within bounds', () => {
    const rule = duration({ min: 10, max: 2_000, default: '1s' });
    expect([rule(undefined, 'n'), rule('2s', 'n'), rule(10, 'n')]).toEqual([1_000, 2_000, 10]);
    expect(rejection(rule, '3s')).toBe(
      "n: '3s' is not valid. It must be at least 10 ms and at most 2000 ms.",
    );
    expect(rejection(duration({ min: 1 }), 0)).toBe('n: 0 is not valid. It must be at least 1 ms.');
    expect(rejection(rule, 'soon')).toMatch("n: 'soon' is no duration.");
    expect(duration({ default: Infinity })(undefined, 'n')).toBe(Infinity);
    expect(duration()(undefined, 'n')).toBeUndefined();
  });

  it('timeLimit takes Infinity, but no zero', () => {
    expect([timeLimit(undefined, 'n'), timeLimit(Infinity, 'n'), timeLimit('1s', 'n')]).toEqual([
      Infinity,
      Infinity,
      1_000,
    ]);
    expect(rejection(timeLimit, 0)).toMatch('It must be at least 1 ms.');
  });

  it('oneOf, flag, date, text and withMethods reject other values', () => {
    expect(rejection(oneOf(['fast', 'slow']), 'fst')).toBe(
      "n: 'fst' is not valid. Did you mean 'fast'? Known: fast, slow.",
    );
    expect(rejection(flag(true), 'yes')).toBe("n: 'yes' is not valid. It must be true or false.");
    expect(rejection(date, new Date(NaN))).toBe('n: an invalid Date is not valid. It must be a valid Date.');
    expect(rejection(text(/^a+$/, 'It must be a word of a.'), 'b')).toMatch('It must be a word of a.');
    expect(rejection(withMethods(['now'], 'It must have now.'), {})).toMatch('It must have now.');
  });

  it('optional and required decide about a missing value', () => {
    const rule = wholeNumber({ min: 1 });
    expect(optional(rule, null)(undefined, 'n')).toBeNull();
    expect(rejection(optional(rule, null), 0)).toMatch('n: 0 is not valid.');
    expect(required(rule)(3, 'n')).toBe(3);
    expect(rejection(required(rule), undefined)).toBe('n: undefined is not valid. It is required.');
  });

  it('byTaskName checks each name and its options', () => {
    const rule = byName(
      checkTaskName,
      nested(new OptionTable({ on: flag(false) })),
      'It must be an object of tasks.',
    );
    expect(rule({ 'A.work': { on: true } }, 'n')).toEqual(new Map([['A.work', { on: true }]]));
    expect(rule(undefined, 'n')).toEqual(new Map());
    expect(rejection(rule, [])).toBe('n: an array is not valid. It must be an object of tasks.');
    expect(rejection(rule, { '': {} })).toMatch("n['']: '' is not valid.");
    expect(rejection(rule, { a: { on: 1 } })).toMatch("n['a'].on: 1 is not valid.");
  });

  it('fileUrl takes absolute files', () => {
    const rule = fileUrl('/app/work.js');
    expect(rule('/app/a.js', 'n')).toBe('file:///app/a.js');
    expect(rule(pathToFileURL('/app/a.js'), 'n')).toBe('file:///app/a.js');
    expect(rejection(rule, './a.js')).toBe(
      "n: './a.js' is not valid. It must be a file: URL or an absolute path, such as /app/work.js.",
    );
  });
});
