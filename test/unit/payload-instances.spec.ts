import { PayloadCodec, copyPlain } from '../../lib/job/payload/payload-codec.js';

const codec = new PayloadCodec({ maxBytes: 1_048_576 });

/** What a task gets to see of an argument. */
function arrive<T>(value: T): T {
  return codec.copyArgs([value])[0] as T;
}

describe('PayloadCodec: class instances', () => {
  class Address {
    constructor(
      readonly city: string,
      readonly note?: string,
    ) {}
  }

  it('are copied by their own properties', () => {
    const copy = arrive(new Address('London'));
    expect(copy).toStrictEqual({ city: 'London', note: undefined });
  });

  it('are copied as the value of their toJSON()', () => {
    class Money {
      #cents = 1250;
      toJSON(): unknown {
        return { amount: this.#cents / 100, at: new Address('Paris') };
      }
    }
    expect(arrive<unknown>({ price: new Money() })).toStrictEqual({
      price: { amount: 12.5, at: { city: 'Paris', note: undefined } },
    });
    expect(codec.copyResult(new Money())).toStrictEqual({
      amount: 12.5,
      at: { city: 'Paris', note: undefined },
    });
  });

  it('toJSON() of a plain object is called as well, and may return any value that can be copied', () => {
    expect(arrive<unknown>({ toJSON: () => new Date(3) })).toStrictEqual(new Date(3));
    expect(arrive<unknown>({ toJSON: () => [1] })).toStrictEqual([1]);
    expect(arrive<unknown>({ toJSON: () => 'x' })).toBe('x');
    expect(arrive<unknown>({ toJSON: () => undefined })).toBeUndefined();
    expect(arrive<unknown>({ toJSON: 'data' })).toStrictEqual({ toJSON: 'data' });
  });

  it('toJSON() that returns its own object is not called again', () => {
    class Self {
      a = 1;
      toJSON(): this {
        return this;
      }
    }
    expect(arrive(new Self())).toStrictEqual({ a: 1 });
  });

  it('built-in classes are copied as themselves, without their toJSON()', () => {
    const date = Object.assign(new Date(1), { toJSON: () => 'no' });
    expect(arrive(date).getTime()).toBe(1);
  });
});

describe('PayloadCodec: errors', () => {
  it('keep name, message, stack, code, cause and their own properties', () => {
    const cause = new TypeError('inner');
    const error = Object.assign(new RangeError('outer', { cause }), {
      code: 'E_OUT',
      status: 418,
      data: { a: [1] },
    });
    const copy = arrive(error);
    expect(copy).toBeInstanceOf(RangeError);
    expect(copy).not.toBe(error);
    expect(copy.stack).toBe(error.stack);
    expect([copy.name, copy.message, copy.code, copy.status]).toEqual(['RangeError', 'outer', 'E_OUT', 418]);
    expect(copy.data).toStrictEqual({ a: [1] });
    expect(copy.data).not.toBe(error.data);
    expect(copy.cause).toBeInstanceOf(TypeError);
    expect(copy.cause).not.toBe(cause);
    expect((copy.cause as Error).message).toBe('inner');
    expect(Object.keys(copy)).toEqual(['code', 'status', 'data']);
  });

  it('of a class of your own become an Error of that name', () => {
    class PaymentError extends Error {
      override name = 'PaymentError';
      get code(): string {
        return 'E_PAY';
      }
    }
    const copy = arrive(new PaymentError('refused'));
    expect(Object.getPrototypeOf(copy)).toBe(Error.prototype);
    expect([copy.name, copy.message, copy.code]).toEqual(['PaymentError', 'refused', 'E_PAY']);
    expect(String(copyPlain(copy))).toBe('PaymentError: refused');
  });

  it('AggregateError keeps its errors, and a DOMException its name and code', () => {
    const copy = arrive(new AggregateError([new SyntaxError('one'), 'two'], 'both'));
    expect(copy).toBeInstanceOf(AggregateError);
    expect(copy.errors).toHaveLength(2);
    expect(copy.errors[0]).toBeInstanceOf(SyntaxError);
    expect(copy.errors[1]).toBe('two');
    const aborted = arrive(new DOMException('stop', 'AbortError'));
    expect(aborted).toBeInstanceOf(Error);
    expect([aborted.name, aborted.message, aborted.code]).toEqual(['AbortError', 'stop', 20]);
  });

  it('without a stack have none afterwards', () => {
    const error = new Error('bare');
    delete error.stack;
    expect(arrive(error).stack).toBeUndefined();
  });
});
