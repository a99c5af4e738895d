import { copyPlain, jsonView, PayloadCodec } from '../../lib/job/payload/payload-codec.js';
import { PAYLOAD_KINDS } from '../../lib/job/payload/payload-kind.js';
import { payloadFromText, payloadToText } from '../../lib/job/payload/payload-text.js';

/** For each `$type`: a value that needs it, and the value's plain JSON view. */
const SAMPLES: Readonly<Record<string, readonly [value: unknown, view: unknown]>> = {
  string: ['nul \0', 'nul \0'],
  utf16: ['\0'.repeat(2_000), '\0'.repeat(2_000)],
  number: [Number.NaN, null],
  bigint: [2n ** 70n, '1180591620717411303424'],
  undefined: [undefined, null],
  Date: [new Date(1_900_000_000_000), '2030-03-17T17:46:40.000Z'],
  Map: [new Map([['a', 1n]]), [['a', '1']]],
  Set: [new Set([1n]), ['1']],
  Buffer: [Buffer.from([1, 2]), 'AQI='],
  Int8Array: [Int8Array.of(-1, 2), [-1, 2]],
  Uint8Array: [Uint8Array.of(1, 2), [1, 2]],
  Uint8ClampedArray: [Uint8ClampedArray.of(1, 255), [1, 255]],
  Int16Array: [Int16Array.of(-1, 2), [-1, 2]],
  Uint16Array: [Uint16Array.of(1, 2), [1, 2]],
  Int32Array: [Int32Array.of(-1, 2), [-1, 2]],
  Uint32Array: [Uint32Array.of(1, 2), [1, 2]],
  Float32Array: [Float32Array.of(0.5), [0.5]],
  Float64Array: [Float64Array.of(0.1), [0.1]],
  BigInt64Array: [BigInt64Array.of(-1n), ['-1']],
  BigUint64Array: [BigUint64Array.of(1n), ['1']],
  DataView: [new DataView(new ArrayBuffer(2)), []],
  ArrayBuffer: [new ArrayBuffer(2), 'AAA='],
  Error: [new TypeError('broken'), { name: 'TypeError', message: 'broken' }],
  URL: [new URL('https://a.example/'), 'https://a.example/'],
  URLSearchParams: [new URLSearchParams('a=1&a=é'), 'a=1&a=%C3%A9'],
  RegExp: [/a+/g, '/a+/g'],
};

/** Only newer versions of Node have it. */
const OPTIONAL = new Set(['Float16Array']);

const codec = new PayloadCodec({ maxBytes: 1_000_000 });
const types = PAYLOAD_KINDS.flatMap((kind) => kind.types).filter((type) => !OPTIONAL.has(type));

it('every type of every kind has a sample', () => {
  expect(Object.keys(SAMPLES).sort()).toEqual([...types].sort());
});

it('no two kinds write the same type', () => {
  expect(new Set(types).size).toBe(types.length);
});

it.each(Object.entries(SAMPLES))(
  '%s: recognised by one kind, copied, written, read and viewed',
  (type, [value, view]) => {
    expect(PAYLOAD_KINDS.filter((kind) => kind.is(value))).toHaveLength(1);
    for (const copy of [codec.copyResult([value]), copyPlain([value])]) {
      expect(copy).toEqual([value]);
      if (typeof value === 'object') expect((copy as unknown[])[0]).not.toBe(value);
    }
    const text = payloadToText([value]);
    expect(JSON.parse(text)[0].$type).toBe(type);
    expect(payloadFromText(text)).toEqual([value]);
    expect(jsonView(value)).toEqual(view);
  },
);
