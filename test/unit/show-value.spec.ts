import { printed, showValue, shownText } from '../../lib/job/show-value.js';

describe('text in log lines and errors', () => {
  it('is cut, and contains printable characters only', () => {
    expect(shownText('a\nb\u001b[31m\u2028\u202e\ud800 ä😀')).toBe(
      'a\\u{a}b\\u{1b}[31m\\u{2028}\\u{202e}\\u{d800} ä😀',
    );
    expect(shownText('x'.repeat(1_000_000)).length).toBeLessThan(1_100);
    expect(showValue(`${'x'.repeat(500)}\n`)).toBe(`'${'x'.repeat(80)}…'`);
    expect(showValue('two\nlines')).toBe("'two\\u{a}lines'");
    expect(printed(new Error('two\nlines'))).toBe('Error: two\\u{a}lines');
  });

  it('of a BigInt is limited as well', () => {
    expect(showValue(-12n)).toBe('-12');
    expect(showValue(1n << 6_000_000n)).toMatch(/^0x10{77}…$/);
  });
});
