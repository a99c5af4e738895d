import { FlowrraConfigError } from '../../../lib/job/errors.js';
import { OnceNames } from '../../../lib/run/once-names.js';

it('the same block may come again under its name, and other blocks have other names', () => {
  const names = new OnceNames();
  const blocks = [1, 2].map((n) => () => n);
  for (const block of blocks) expect(names.use('charge', block)).toBe('charge');
  expect(names.use('ship', () => 'shipped')).toBe('ship');
});

it('another block of the same name is rejected: it would be skipped', () => {
  const names = new OnceNames();
  names.use('once', () => 'charged');
  expect(() => names.use('once', () => 'shipped')).toThrow(FlowrraConfigError);
  expect(() => names.use('once', () => 'shipped')).toThrow(/two blocks of the task have the name 'once'/);
});

it('each attempt has names of its own', () => {
  new OnceNames().use('once', () => 'charged');
  expect(new OnceNames().use('once', () => 'shipped')).toBe('once');
});

it.each([undefined, null, 'text', {}])('%p is no block', (block) => {
  expect(() => new OnceNames().use('once', block)).toThrow(/must be a function/);
});

it('a name that has taken effect is refused once its block is skipped in the same attempt', () => {
  const names = new OnceNames();
  names.end('charge', false);
  names.end('charge', false);
  names.end('other', true);
  expect(() => names.end('other', true)).toThrow(/'other' has taken effect already.*give each round a name/);
  expect(() => names.end('charge', true)).toThrow(/'charge' has taken effect already/);
});
