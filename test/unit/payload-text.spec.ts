import { PayloadError } from '../../lib/job/errors.js';
import { payloadFromText, payloadToText } from '../../lib/job/payload/payload-text.js';

describe('payloadToText', () => {
  it('writes plain JSON without tags', () => {
    const value = { to: 'ada@example.com', n: 1.5, ok: true, none: null, list: ['a', { b: [] }] };
    expect(payloadToText(value)).toBe(JSON.stringify(value));
    expect(payloadFromText(payloadToText(value))).toStrictEqual(value);
  });

  it.each<[unknown, unknown]>([
    [undefined, { $type: 'undefined' }],
    [NaN, { $type: 'number', value: 'NaN' }],
    [-0, { $type: 'number', value: '-0' }],
    [12345678901234567890n, { $type: 'bigint', value: '12345678901234567890' }],
    [new Date(0), { $type: 'Date', value: '1970-01-01T00:00:00.000Z' }],
    [new Map([['a', 1n]]), { $type: 'Map', value: [['a', { $type: 'bigint', value: '1' }]] }],
    [new Set(['a']), { $type: 'Set', value: ['a'] }],
    [Buffer.from('hi'), { $type: 'Buffer', value: 'aGk=' }],
    [new Uint8Array([104, 105]), { $type: 'Uint8Array', value: 'aGk=' }],
    [new Uint8Array([104, 105]).buffer, { $type: 'ArrayBuffer', value: 'aGk=' }],
    [new URL('https://example.com/'), { $type: 'URL', value: 'https://example.com/' }],
    [new URLSearchParams('a=é'), { $type: 'URLSearchParams', value: 'a=%C3%A9' }],
    [/a/g, { $type: 'RegExp', value: ['a', 'g'] }],
    ['a\0~b', { $type: 'string', value: 'a~0000~007Eb' }],
    ['\ud83d', { $type: 'string', value: '~D83D' }],
    [{ $type: 'Date' }, { $type: 'Object', value: [['$type', 'Date']] }],
    [{ 'a\0': 1 }, { $type: 'Object', value: [[{ $type: 'string', value: 'a~0000' }, 1]] }],
  ])('tags %p', (value, json) => {
    expect(JSON.parse(payloadToText({ value }))).toStrictEqual({ value: json });
    expect(payloadFromText(payloadToText({ value }))).toStrictEqual({ value });
    expect(payloadFromText(payloadToText(value))).toStrictEqual(value);
  });

  it('keeps whole surrogate pairs, control characters and text that looks like an escape readable', () => {
    const text = '😀 \u0001 \n ~0000 \\u0000 ~';
    expect(payloadToText(text)).toBe(JSON.stringify(text));
    expect(payloadFromText(payloadToText(text))).toBe(text);
    expect(payloadFromText(payloadToText(`${text}\0`))).toBe(`${text}\0`);
  });

  it('a long text with unsafe characters is not longer than base64 of its characters', () => {
    for (const unit of ['\0', '\ud800', '~\0', 'ä\0', '\ud800x']) {
      const text = unit.repeat(500_000);
      const written = payloadToText(text);
      expect(written.length).toBeLessThan(3 * text.length);
      expect(written).not.toMatch(/[\0\ud800-\udfff\\]/);
      expect(payloadFromText(written) === text).toBe(true);
      expect(payloadFromText(payloadToText({ [text]: text }))).toEqual({ [text]: text });
    }
  });

  it('a very large BigInt is written in time proportional to its size', () => {
    const large = 1n << 6_000_000n;
    for (const value of [large, -large, large - 1n, 2n ** 4_095n, -(2n ** 4_095n), 2n ** 4_096n]) {
      expect(payloadFromText(payloadToText([value]))).toEqual([value]);
    }
    expect(payloadToText(large).slice(0, 39)).toBe('{"$type":"bigint","value":"0x1000000000');
    expect(payloadToText(-large).slice(0, 32)).toBe('{"$type":"bigint","value":"-0x10');
  });

  it('reads the formats of earlier versions', () => {
    const digits = '7'.repeat(5_000);
    expect(payloadFromText(`{"$type":"bigint","value":"-${digits}"}`)).toBe(-BigInt(digits));
    expect(payloadFromText(`{"$type":"string","value":"${'~0000'.repeat(5_000)}"}`)).toBe('\0'.repeat(5_000));
  });

  it.each(['0x', '0xg', '-', '0X1', '1.0', ''])('%j is no BigInt', (value) => {
    expect(() => payloadFromText(JSON.stringify({ $type: 'bigint', value }))).toThrow(PayloadError);
  });

  it('keeps an invalid date one', () => {
    expect(payloadToText(new Date(NaN))).toBe('{"$type":"Date","value":null}');
    expect((payloadFromText(payloadToText(new Date(NaN))) as Date).getTime()).toBeNaN();
  });

  it('keeps holes as undefined, and undefined properties', () => {
    const holey: unknown[] = [];
    holey[1] = 1;
    expect(payloadFromText(payloadToText(holey))).toStrictEqual([undefined, 1]);
    expect(payloadFromText(payloadToText({ a: undefined }))).toStrictEqual({ a: undefined });
  });

  it('keeps __proto__ as a key, in plain JSON, in tagged form and beside tags', () => {
    for (const json of ['{"__proto__":{"x":1}}', '{"__proto__":{"x":1},"$type":"a"}']) {
      for (const value of [
        JSON.parse(json) as object,
        { __date: new Date(1), in: JSON.parse(json) as object },
      ]) {
        const back = payloadFromText(payloadToText(value)) as object;
        expect(back).toStrictEqual(value);
        expect(Object.getPrototypeOf('in' in back ? back.in : back)).toBe(Object.prototype);
        expect(Object.hasOwn('in' in back ? (back.in as object) : back, '__proto__')).toBe(true);
      }
    }
  });

  it('keeps all parts of errors, also of errors inside them', () => {
    const error = Object.assign(new TypeError('outer\0', { cause: new AggregateError([1n], 'inner') }), {
      code: 'E',
      $type: 'x',
    });
    const back = payloadFromText(payloadToText(error)) as typeof error;
    expect(back).toBeInstanceOf(TypeError);
    expect([back.name, back.message, back.stack, back.code, back.$type]).toEqual([
      'TypeError',
      'outer\0',
      error.stack,
      'E',
      'x',
    ]);
    expect(back.cause).toBeInstanceOf(AggregateError);
    expect((back.cause as AggregateError).errors).toEqual([1n]);
    const named = Object.assign(new Error('m'), { name: 'PaymentError' });
    expect(String(payloadFromText(payloadToText(named)))).toBe('PaymentError: m');
  });

  it('keeps objects that look like tags, several levels deep', () => {
    const value = {
      $type: 'Map',
      value: [[{ $type: 'undefined' }, { $type: { $type: 'Date', value: new Date(1) } }]],
    };
    expect(payloadFromText(payloadToText(value))).toStrictEqual(value);
  });

  it('can be read from a store that writes JSON again with keys in another order', () => {
    expect(payloadFromText('{ "value" : "1970-01-01T00:00:00.000Z" , "$type" : "Date" }')).toStrictEqual(
      new Date(0),
    );
  });

  it('rejects data that is not from the codec', () => {
    expect(() => payloadToText({ a: () => 1 })).toThrow(PayloadError);
    expect(() => payloadToText([Symbol('s')])).toThrow('payload: a symbol cannot be written as text');
    expect(() => payloadToText(new WeakMap())).toThrow(PayloadError);
  });
});

describe('payloadFromText', () => {
  it.each([
    [''],
    ['{'],
    ['undefined'],
    ['{"$type":"Unheard"}'],
    ['{"$type":"Unheard","value":""}'],
    ['{"$type":7}'],
    ['{"$type":"number","value":"7"}'],
    ['{"$type":"bigint","value":"1.5"}'],
    ['{"$type":"bigint","value":1}'],
    ['{"$type":"Date","value":"tomorrow"}'],
    ['{"$type":"Date"}'],
    ['{"$type":"Map","value":[["a"]]}'],
    ['{"$type":"Map","value":{}}'],
    ['{"$type":"Set","value":1}'],
    ['{"$type":"Object","value":[[1,2]]}'],
    ['{"$type":"Error","value":null}'],
    ['{"$type":"Error","value":{"name":"E"}}'],
    ['{"$type":"URL","value":"no url"}'],
    ['{"$type":"RegExp","value":["(","g"]}'],
    ['{"$type":"RegExp","value":[1,"g"]}'],
    ['{"$type":"Buffer","value":"no base64!"}'],
    ['{"$type":"Float64Array","value":"aGk="}'],
    ['{"$type":"string"}'],
    [`${'['.repeat(20_000)}{"$type":"undefined"}${']'.repeat(20_000)}`],
  ])('refuses %.60s', (text) => {
    let error: unknown;
    try {
      payloadFromText(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(PayloadError);
    expect(error).toMatchObject({
      path: 'payload',
      message: expect.stringContaining('Flowrra did not write this stored value'),
    });
  });
});
