import { PayloadCodec } from '../../lib/job/payload/payload-codec.js';
import { rejectionOf } from '../support/payload-rejection.js';

const MAX_BYTES = 10_000;
const codec = new PayloadCodec({ maxBytes: MAX_BYTES });

const rejected = (...args: unknown[]) => rejectionOf(() => codec.copyArgs(args));

describe('PayloadCodec: the size', () => {
  const sizes = (max: number): PayloadCodec => new PayloadCodec({ maxBytes: max });

  it.each<[string, unknown, number]>([
    ['a string', 'abc', 3],
    ['a long string', 'é'.repeat(100), 200],
    ['a short string outside ASCII', 'é€😀', 9],
    ['a letter of two bytes', 'é', 2],
    ['a lone surrogate', '\ud800', 3],
    ['a number', 1, 8],
    ['a boolean', true, 8],
    ['null', null, 8],
    ['undefined', undefined, 8],
    ['a small BigInt', 5n, 8],
    ['a large BigInt', 2n ** 799n, 100],
    ['an array', [1, 'ab'], 16 + 2 + 8 + 2],
    ['an object', { a: 1, b: 'x' }, 16 + 2 + 2 + 8 + 1],
    ['a Map', new Map([['k', 'v']]), 16 + 1 + 2],
    ['a Set', new Set(['v']), 16 + 1 + 1],
    ['bytes', Buffer.alloc(50), 66],
    ['an ArrayBuffer', new ArrayBuffer(50), 66],
    ['a date', new Date(), 16],
    ['a URL', new URL('https://a.example/'), 16 + 18],
    ['a URLSearchParams', new URLSearchParams('a=é'), 16 + 8],
    ['a RegExp', /abc/g, 16 + 3],
  ])('of %s', (_name, value, size) => {
    expect(() => sizes(size).copyArgs([value])).not.toThrow();
    expect(() => sizes(size).copyResult(value)).not.toThrow();
    expect(rejectionOf(() => sizes(size - 1).copyArgs([value])).message).toContain(
      `more than ${size - 1} bytes`,
    );
    expect(rejectionOf(() => sizes(size - 1).copyResult(value)).message).toContain(
      'the result takes more than',
    );
  });

  it('is the sum of all arguments', () => {
    expect(() => sizes(24).copyArgs([1, 2, 3])).not.toThrow();
    expect(rejectionOf(() => sizes(24).copyArgs([1, 2, 3, 4])).path).toBe('args[3]');
    expect(rejectionOf(() => sizes(24).copyArgs(['x'.repeat(20), 'y'.repeat(5)])).path).toBe('args[1]');
  });

  it('names the option, and the value that exceeded it', () => {
    const error = rejected({ user: { bio: 'x'.repeat(MAX_BYTES) } });
    expect(error.path).toBe('args[0].user.bio');
    expect(error.message).toMatch(/more than 10000 bytes; pass a reference.*raise maxPayloadBytes/);
  });

  it('rejects a sparse array before it is copied', () => {
    const sparse: unknown[] = [];
    sparse.length = 4_000_000_000;
    expect(rejected({ sparse }).path).toBe('args[0].sparse');
  });

  it('rejects a structure that grows exponentially', () => {
    let value: unknown = 'x';
    for (let level = 0; level < 40; level++) value = [value, value];
    expect(rejected(value).message).toContain('more than 10000 bytes');
  });

  it('rejects a Map that grows while it is copied', () => {
    const map = new Map<number, unknown>();
    const entry = { get next() { map.set(map.size, entry); return 1; } }; // prettier-ignore
    map.set(0, entry);
    expect(rejected(map).message).toContain('more than 10000 bytes');
  });

  it('rejects a huge string and a huge BigInt', () => {
    expect(rejected('x'.repeat(2 ** 28)).path).toBe('args[0]');
    expect(rejected([1n << 1_000_000n]).path).toBe('args[0][0]');
  });
});
