import vm from 'node:vm';
import { PayloadCodec, copyPlain } from '../../lib/job/payload/payload-codec.js';

const codec = new PayloadCodec({ maxBytes: 1_048_576 });

/** What a task gets to see of an argument. */
function arrive<T>(value: T): T {
  return codec.copyArgs([value])[0] as T;
}

describe('PayloadCodec: copies', () => {
  it.each([
    ['ada'],
    [''],
    [42],
    [-0],
    [NaN],
    [Infinity],
    [-Infinity],
    [true],
    [null],
    [undefined],
    [2n ** 80n],
    [-5n],
  ])('the primitive %p', (value) => {
    expect(Object.is(arrive(value), value)).toBe(true);
    expect(Object.is(codec.copyResult(value), value)).toBe(true);
  });

  it('a list of arguments, as a new list', () => {
    const args = ['ada@example.com', 7];
    const copy = codec.copyArgs(args);
    expect(copy).toEqual(args);
    expect(copy).not.toBe(args);
    expect(codec.copyArgs([])).toEqual([]);
  });

  it('plain objects and arrays, as copies, with properties that are undefined', () => {
    const input = { user: { name: 'Ada', nick: undefined }, tags: ['a', ['b']] };
    const copy = arrive(input);
    expect(copy).toStrictEqual(input);
    expect(copy.user).not.toBe(input.user);
    expect(copy.tags).not.toBe(input.tags);
    expect(copy.tags[1]).not.toBe(input.tags[1]);
  });

  it('holes, as undefined', () => {
    const holey: unknown[] = [1];
    holey[2] = 3;
    const copy = arrive(holey);
    expect(1 in copy).toBe(true);
    expect(copy).toStrictEqual([1, undefined, 3]);
    expect(1 in codec.copyArgs(holey)).toBe(true);
  });

  it('a null-prototype object, as an ordinary one', () => {
    const copy = arrive(Object.assign(Object.create(null) as object, { a: 1 }));
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(copy).toEqual({ a: 1 });
  });

  it('an own key __proto__, as data that changes no prototype', () => {
    const copy = arrive(JSON.parse('{"__proto__": {"admin": true}, "a": 1}') as Record<string, unknown>);
    expect(Object.keys(copy)).toEqual(['__proto__', 'a']);
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(copy.admin).toBeUndefined();
    const again = copyPlain(copy) as object;
    expect(Object.keys(again)).toEqual(['__proto__', 'a']);
    expect(Object.getPrototypeOf(again)).toBe(Object.prototype);
    const proto = (value: object): unknown => Object.getOwnPropertyDescriptor(value, '__proto__')?.value;
    expect(proto(again)).toEqual({ admin: true });
    expect(proto(again)).not.toBe(proto(copy));
  });

  it('dates, invalid ones too', () => {
    const date = new Date(1_000);
    expect(arrive(date)).toStrictEqual(date);
    expect(arrive(date)).not.toBe(date);
    expect(arrive(new Date(NaN)).getTime()).toBeNaN();
  });

  it('Map and Set, whose keys and entries may be objects', () => {
    const key = { id: 1 };
    const map = new Map<unknown, unknown>([
      [key, new Set([[1]])],
      ['a', undefined],
    ]);
    const copy = arrive(map);
    expect(copy).toStrictEqual(map);
    expect([...copy.keys()][0]).not.toBe(key);
  });

  it.each([
    [new Uint8Array([1, 2, 255])],
    [new Uint8ClampedArray([1, 2])],
    [new Int16Array([-1, 2])],
    [new Float32Array([1.5])],
    [new Float64Array([NaN, -0])],
    [new BigInt64Array([-1n])],
    [new BigUint64Array([1n])],
    [new Int8Array()],
  ])('the typed array %p, with memory of its own', (view) => {
    const copy = arrive<ArrayBufferView>(view);
    expect(copy).toStrictEqual(view);
    expect(copy.buffer).not.toBe(view.buffer);
    expect((copyPlain(view) as typeof view).buffer).not.toBe(view.buffer);
  });

  it('only the part of the memory that belongs to a view', () => {
    const copy = arrive(new Uint16Array(new Uint16Array([1, 2, 3, 4]).buffer, 2, 2));
    expect([...copy]).toEqual([2, 3]);
    expect(copy.buffer.byteLength).toBe(4);
  });

  it('Buffer, DataView and ArrayBuffer as themselves', () => {
    const buffer = Buffer.from('hello');
    const copy = arrive(buffer);
    expect(Buffer.isBuffer(copy)).toBe(true);
    expect(copy.toString()).toBe('hello');
    expect(copy.buffer.byteLength).toBe(5);
    buffer[0] = 0;
    expect(copy.toString()).toBe('hello');

    const memory = new Uint8Array([1, 2, 3]).buffer;
    const view = arrive(new DataView(memory, 1));
    expect(view).toBeInstanceOf(DataView);
    expect([view.byteLength, view.getUint8(0)]).toEqual([2, 2]);
    expect(arrive(memory)).toStrictEqual(memory);
    expect(arrive(memory)).not.toBe(memory);
  });

  it('a subclass of a built-in class, as the class it extends', () => {
    class Bytes extends Uint8Array {}
    class Registry extends Map<string, number> {}
    class Query extends URLSearchParams {
      override toString = (): string => 'other';
    }
    expect(Object.getPrototypeOf(arrive(new Bytes(2)))).toBe(Uint8Array.prototype);
    expect(arrive(new Registry([['a', 1]]))).toStrictEqual(new Map([['a', 1]]));
    expect(arrive(new Query('a=1'))).toStrictEqual(new URLSearchParams('a=1'));
  });

  it('URL, URLSearchParams and RegExp', () => {
    const url = new URL('https://example.com/a?b=c');
    expect(arrive(url)).toBeInstanceOf(URL);
    expect(arrive(url).href).toBe(url.href);
    expect(arrive(url)).not.toBe(url);
    expect(arrive(url.searchParams)).toStrictEqual(new URLSearchParams('b=c'));
    expect(arrive(url.searchParams)).not.toBe(url.searchParams);
    expect(arrive(/a+/giu)).toStrictEqual(/a+/giu);
  });

  it('a boxed primitive, as the primitive', () => {
    expect(codec.copyArgs([new String('a'), new Number(1), new Boolean(false), Object(1n)])).toEqual([
      'a',
      1,
      false,
      1n,
    ]);
  });

  it('objects of another realm, as those of this one', () => {
    const foreign: unknown = vm.runInNewContext(
      '({ list: [1], none: {}, when: new Date(5), map: new Map([[1, 2]]), bytes: new Uint8Array([7]), fault: new RangeError("far") })',
    );
    const copy = arrive(foreign) as { fault: Error };
    const { fault, ...rest } = copy;
    expect(rest).toStrictEqual({
      list: [1],
      none: {},
      when: new Date(5),
      map: new Map([[1, 2]]),
      bytes: new Uint8Array([7]),
    });
    expect(fault).toBeInstanceOf(RangeError);
    expect(fault.message).toBe('far');
  });

  it('neither symbol keys nor properties that are not enumerable', () => {
    const input = Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'hidden', { value: 3 });
    expect(Reflect.ownKeys(arrive(input))).toEqual(['a']);
  });

  it('the value of a getter', () => {
    expect(arrive({ get a() { return 1; } })).toStrictEqual({ a: 1 }); // prettier-ignore
  });

  it('a reference that is used twice, as two copies', () => {
    const shared = { a: 1 };
    const [one, two] = codec.copyArgs([shared, shared]);
    expect(one).toEqual(two);
    expect(one).not.toBe(two);
  });

  it('up to 500 levels of nesting, in arguments and in results', () => {
    expect(() => codec.copyArgs([nested(500)])).not.toThrow();
    expect(() => codec.copyArgs([nested(501)])).toThrow('deeper than 500');
    expect(() => codec.copyResult(nested(500))).not.toThrow();
    expect(() => codec.copyResult(nested(501))).toThrow('deeper than 500');
  });
});

describe('copyPlain', () => {
  it('returns a new copy to each caller', () => {
    const plain = codec.copyArgs([
      { a: [new Date(1), new Map([['k', { b: 1 }]]), new Set([[1]]), Buffer.from('x')] },
      'text',
    ]);
    const copy = copyPlain(plain) as typeof plain;
    expect(copy).toStrictEqual(plain);
    const [before, after] = [plain, copy].map(
      (one) => (one[0] as { a: [Date, Map<string, object>, Set<unknown>] }).a,
    );
    expect(after?.[0]).not.toBe(before?.[0]);
    expect(after?.[1].get('k')).not.toBe(before?.[1].get('k'));
    expect([...(after?.[2] ?? [])][0]).not.toBe([...(before?.[2] ?? [])][0]);
  });
});

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 ? [value] : { in: value };
  return value;
}
