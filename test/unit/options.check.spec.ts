import { checkKeys, suggest } from '../../lib/job/check.js';
import { configError } from '../support/config-error.js';

const KEYS = ['numWorkers', 'cpuWorkers', 'maxRetries', 'cpuBound', 'role'];

describe('suggest', () => {
  it.each([
    ['numWorker', 'numWorkers'],
    ['maxRetrys', 'maxRetries'],
    ['max_retries', 'maxRetries'],
    ['retries', 'maxRetries'],
    ['MAXRETRIES', 'maxRetries'],
    ['cpu_bound', 'cpuBound'],
    ['cpuWorkres', 'cpuWorkers'],
    ['rol', 'role'],
  ])('takes %s for %s', (given, meant) => {
    expect(suggest(given, KEYS)).toBe(`Did you mean '${meant}'? Known: ${KEYS.join(', ')}.`);
  });

  it.each(['x', 'banana', 'concurrency', '', 'roxx', 5, undefined, Symbol('role')])(
    'guesses nothing for %p',
    (given) => {
      expect(suggest(given, KEYS)).toBe(`Known: ${KEYS.join(', ')}.`);
    },
  );

  it('picks the nearest of several near ones', () => {
    expect(suggest('reports2', ['reports1x', 'reports'])).toMatch("Did you mean 'reports'?");
    expect(suggest('reports2', ['reports', 'reports1x'])).toMatch("Did you mean 'reports'?");
  });
});

describe('checkKeys', () => {
  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    ['memory:', "'memory:'"],
    [[], 'an array'],
    [function options() {}, 'the function options'],
  ])('rejects %p for an object', (given, shown) => {
    expect(configError(() => checkKeys(given, ['a', 'b'], 'cpu'))).toBe(
      `cpu: ${shown} is not valid. It must be an object with some of: a, b.`,
    );
  });

  it('names an unknown key, what it was given and what was meant', () => {
    expect(configError(() => checkKeys({ rolle: 'worker' }, KEYS, 'here'))).toBe(
      `here: unknown option 'rolle' (given 'worker'). Did you mean 'role'? Known: ${KEYS.join(', ')}.`,
    );
  });

  it('shows no contents of an object, which may be secret', () => {
    const message = configError(() => checkKeys({ redis: { password: 'hunter2' } }, KEYS, 'here'));
    expect(message).toMatch("unknown option 'redis' (given an object).");
    expect(message).not.toMatch('hunter2');
  });

  it('rejects an unknown key even if its value is undefined', () => {
    expect(configError(() => checkKeys({ rolle: undefined }, KEYS, 'here'))).toMatch(
      "unknown option 'rolle'",
    );
  });

  it.each([
    ['attempts', 'maxRetries'],
    ['max_retries', 'maxRetries'],
    ['jobId', 'with({ taskId })'],
    ['removeOnComplete', 'resultTtl'],
    ['repeat', '@Cron'],
    ['utcOffset', 'timezone'],
    ['endDate', 'Use end'],
    ['lifo', 'priority'],
    ['concurrency', 'numWorkers'],
    ['countdown', "with({ delay: '10s' })"],
    ['eta', 'with({ runAt: date })'],
    ['queue', '@Task({ queue })'],
    ['priority', 'with({ priority: 1 })'],
  ])('names the option that Flowrra has for %s', (word, ours) => {
    const message = configError(() => checkKeys({ [word]: 1 }, ['role'], 'here'));
    expect(message).toContain(`here: unknown option '${word}' (given 1). `);
    expect(message).toContain(ours);
    expect(message).toMatch(/ Known: role\.$/);
  });

  it('does not take an inherited name for a known one', () => {
    expect(configError(() => checkKeys({ toString: 1 }, KEYS, 'here'))).toMatch("unknown option 'toString'");
    const parsed: unknown = JSON.parse('{ "__proto__": 1 }');
    expect(configError(() => checkKeys(parsed, KEYS, 'here'))).toMatch("unknown option '__proto__'");
  });

  it('takes an object without a prototype, and the instance of a class', () => {
    class Config {
      role = 'all';
    }
    expect(checkKeys(Object.assign(Object.create(null), { role: 'all' }), KEYS, 'here')).toBeUndefined();
    expect(checkKeys(new Config(), KEYS, 'here')).toBeUndefined();
  });
});
