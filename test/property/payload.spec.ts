import { types } from 'node:util';
import fc from 'fast-check';
import { PayloadCodec, copyPlain } from '../../lib/job/payload/payload-codec.js';
import { payloadFromText, payloadToText } from '../../lib/job/payload/payload-text.js';

const codec = new PayloadCodec({ maxBytes: 64 * 1024 * 1024 });

/** Any UTF-16, with much of what is hard: NUL, lone surrogates, the escape character, whole pairs. */
const text = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      fc.constantFrom('\0', '\ud83d', '\ude00', '😀', '~', '~0000', '\\u0000', '"', 'a', 'é'),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''));

const key = fc.oneof(
  text,
  fc.constantFrom('$type', 'value', '__proto__', 'toJSON', 'constructor', 'name', 'cause', '0'),
);

const bytes = fc.uint8Array({ maxLength: 12 });

const leaf = fc.oneof(
  text,
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.bigInt(),
  fc.constantFrom(null, undefined, -0, NaN, Infinity, -Infinity),
  fc.date({ noInvalidDate: false }),
  bytes,
  bytes.map((array) => Buffer.from(array)),
  bytes.map((array) => new DataView(array.slice().buffer)),
  bytes.map((array) => array.slice().buffer),
  fc.float64Array({ maxLength: 4 }),
  fc.bigInt64Array({ maxLength: 4 }),
  fc.webUrl().map((url) => new URL(url)),
  fc.array(fc.tuple(text, text), { maxLength: 3 }).map((pairs) => new URLSearchParams(pairs)),
  fc.constantFrom(/a+\/b/giu, new RegExp('\ud83d', 'd'), /(?:)/),
);

const { value: anything } = fc.letrec<{ value: unknown; error: Error }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.sparseArray(tie('value'), { maxNumElements: 3, maxLength: 6 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 3 }).map((entries) => new Set(entries)),
    tie('error'),
  ),
  error: fc
    .record({
      make: fc.constantFrom(Error, TypeError, RangeError, SyntaxError),
      message: text,
      name: fc.option(text, { nil: undefined }),
      cause: fc.option(
        tie('value').map((cause) => ({ cause })),
        { nil: undefined },
      ),
      errors: fc.option(fc.array(tie('value'), { maxLength: 2 }), { nil: undefined }),
      props: fc.dictionary(fc.constantFrom('code', 'status', '$type', 'data'), tie('value'), {
        noNullPrototype: true,
      }),
    })
    .map(({ make, message, name, cause, errors, props }) => {
      const error = errors ? new AggregateError(errors, message, cause) : new make(message, cause);
      // An unusual name is carried by the plain `Error` class alone.
      return Object.assign(error, props, name !== undefined && make === Error && !errors ? { name } : {});
    }),
}));

const payload = fc.array(anything, { maxLength: 4 });

/** A value as text in which every difference that a task could see shows. Holes count as `undefined`. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value);
  if (Array.isArray(value)) return `[${Array.from(value, show).join()}]`;
  if (types.isDate(value)) return `Date(${value.getTime()})`;
  if (types.isMap(value))
    return `Map(${Array.from(value, ([from, to]) => `${show(from)} => ${show(to)}`).join()})`;
  if (types.isSet(value)) return `Set(${Array.from(value, show).join()})`;
  if (ArrayBuffer.isView(value))
    return `${classOf(value)}(${hex(value.buffer, value.byteOffset, value.byteLength)})`;
  if (types.isArrayBuffer(value)) return `ArrayBuffer(${hex(value, 0, value.byteLength)})`;
  if (value instanceof URL || types.isRegExp(value)) return `${classOf(value)}(${show(String(value))})`;
  if (value instanceof URLSearchParams)
    return `URLSearchParams(${Array.from(value, ([name, one]) => `${show(name)} = ${show(one)}`).join()})`;
  return types.isNativeError(value) ? showError(value) : `{${showProperties(value, Object.keys(value))}}`;
}

function showError(error: Error): string {
  const hidden = ['name', 'message', 'stack', 'cause', 'errors'];
  const shown = Object.keys(error)
    .filter((name) => !hidden.includes(name))
    .sort();
  return `${classOf(error)}{${showProperties(
    error,
    hidden.filter((name) => name in error),
  )}|${showProperties(error, shown)}}`;
}

function showProperties(value: object, keys: readonly string[]): string {
  return keys
    .map(
      (name) =>
        `${show(name)}: ${show(Reflect.getOwnPropertyDescriptor(value, name)?.value ?? Reflect.get(value, name))}`,
    )
    .join();
}

function classOf(value: object): string {
  return (Object.getPrototypeOf(value) as object).constructor.name;
}

function hex(buffer: ArrayBufferLike, offset: number, length: number): string {
  return Buffer.from(buffer, offset, length).toString('hex');
}

/** Every object inside, the memory behind views included. */
function objectsIn(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  if (ArrayBuffer.isView(value)) return found.add(value.buffer);
  if (types.isMap(value)) value.forEach((entry, from) => objectsIn(from, objectsIn(entry, found)));
  else if (types.isSet(value)) value.forEach((entry) => objectsIn(entry, found));
  else if (!types.isArrayBuffer(value)) {
    for (const name of Object.getOwnPropertyNames(value)) {
      objectsIn(Reflect.getOwnPropertyDescriptor(value, name)?.value, found);
    }
  }
  return found;
}

describe('PayloadCodec, for any payload', () => {
  it('copies without a difference', () => {
    fc.assert(fc.property(payload, (args) => expect(show(codec.copyArgs(args))).toBe(show(args))));
  });

  it('shares no object with the original, and neither does copyPlain', () => {
    fc.assert(
      fc.property(payload, (args) => {
        const before = objectsIn(args);
        const plain = codec.copyArgs(args);
        const copied = objectsIn(plain);
        const again = objectsIn(copyPlain(plain));
        expect([...copied].filter((object) => before.has(object))).toEqual([]);
        expect([...again].filter((object) => copied.has(object))).toEqual([]);
      }),
    );
  });

  it('copies its own copies without a difference', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const plain = codec.copyResult(value);
        expect(show(codec.copyResult(plain))).toBe(show(plain));
        expect(show(copyPlain(plain))).toBe(show(plain));
      }),
    );
  });

  it('counts a copy as large as the original', () => {
    fc.assert(
      fc.property(anything, fc.integer({ min: 1, max: 400 }), (value, maxBytes) => {
        const small = new PayloadCodec({ maxBytes });
        const fits = (one: unknown): boolean => {
          try {
            return [small.copyResult(one)].length === 1;
          } catch {
            return false;
          }
        };
        expect(fits(codec.copyResult(value))).toBe(fits(value));
      }),
    );
  });
});

describe('payloadToText, for any payload', () => {
  it('is read back without a difference', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const plain = codec.copyResult(value);
        expect(show(payloadFromText(payloadToText(plain)))).toBe(show(plain));
      }),
    );
  });

  it('is JSON text without NUL and lone surrogates, raw or escaped', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const json = payloadToText(codec.copyResult(value));
        expect(() => JSON.parse(json) as unknown).not.toThrow();
        expect(json).not.toMatch(/[\0\p{Surrogate}]/u);
        // An escape is a backslash that no other backslash escapes.
        expect(json.replaceAll('\\\\', '')).not.toMatch(/\\u(0000|[dD][89a-fA-F])/);
        expect(Buffer.from(json, 'utf8').toString('utf8')).toBe(json);
      }),
    );
  });

  it('can be read from a store that writes JSON again', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const plain = codec.copyResult(value);
        const rewritten = JSON.stringify(JSON.parse(payloadToText(plain)), null, 1);
        expect(show(payloadFromText(rewritten))).toBe(show(plain));
      }),
    );
  });
});
