import { PayloadError } from '../../lib/index.js';
import type { Beds } from './engine-under-test.js';

class Invoice {
  constructor(
    readonly id: number,
    readonly due: Date,
  ) {}

  overdue(): boolean {
    return true;
  }
}

class Money {
  readonly #cents = 250;

  toJSON(): { cents: number } {
    return { cents: this.#cents };
  }
}

class Vault {
  readonly #secret = 1;

  open(): number {
    return this.#secret;
  }
}

const loop: Record<string, unknown> = { name: 'loop' };
loop['self'] = loop;

const TRAVELS: Record<string, unknown> = {
  'plain data': { a: [1, 'two', null, true, { deep: [[]] }] },
  'numbers that JSON has no word for': [NaN, Infinity, -Infinity, -0],
  undefined: { a: undefined, b: [undefined] },
  bigint: 2n ** 80n,
  dates: new Date(1_700_000_000_000),
  maps: new Map<unknown, unknown>([[{ key: 1 }, new Set([1, 'a'])]]),
  'typed arrays': [new Uint8Array([1, 2]), new Float64Array([1.5]), new BigInt64Array([-1n])],
  buffers: Buffer.from('bytes'),
  urls: new URL('https://example.com/?a=1'),
  'search parameters': new URLSearchParams([
    ['a', '1'],
    ['a', 'é +&='],
    ['', '\0'],
  ]),
  'strings with NUL and lone surrogates': ['\u0000', '\ud800', 'ok\udfff', '😀'],
  'keys with meaning elsewhere': JSON.parse(
    '{"__proto__": {"polluted": true}, "constructor": 1, "$type": "Date", "then": 1}',
  ),
  'a lone array': [1, 2, 3],
  'nested empty things': [[], {}, new Map(), new Set(), ''],
};

const REFUSED: readonly [string, unknown, string][] = [
  ['a function', { user: { save: () => 1 } }, 'args[0].user.save'],
  ['a symbol', [1, Symbol('s')], 'args[0][1]'],
  ['a cycle', loop, 'args[0].self'],
  ['a promise', { later: Promise.resolve(1) }, 'args[0].later'],
  ['a WeakMap', new WeakMap(), 'args[0]'],
  ['an instance that hides its state', { vault: new Vault() }, 'args[0].vault'],
  [
    'a getter that throws',
    {
      get broken(): never {
        throw new Error('boom');
      },
    },
    'args[0].broken',
  ],
  ['a huge string', 'x'.repeat(1_100_000), 'args'],
];

export function payloadCases(beds: Beds): void {
  async function start(options: Parameters<Beds['start']>[1] = {}) {
    const bed = await beds.start([], options);
    bed.flowrra.register({ name: 'echo' }, (value: unknown) => value);
    const roundTrip = async (value: unknown): Promise<unknown> =>
      (await bed.flowrra.waitForResult(await bed.flowrra.submit('echo', value))).result;
    return { ...bed, roundTrip };
  }

  it.each(Object.keys(TRAVELS))('%s survive the way to a task and back', async (name) => {
    const { roundTrip } = await start();
    expect(await roundTrip(TRAVELS[name])).toStrictEqual(TRAVELS[name]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('an Error survives with its message, its cause and what it carries', async () => {
    const { roundTrip } = await start();
    const error = Object.assign(new RangeError('too far', { cause: new Error('why') }), { code: 'E_FAR' });
    const back = (await roundTrip(error)) as typeof error;
    expect(back).toBeInstanceOf(Error);
    expect(back).toMatchObject({
      name: 'RangeError',
      message: 'too far',
      code: 'E_FAR',
      cause: { message: 'why' },
    });
  });

  it('a class instance travels as its toJSON() or its own properties', async () => {
    const { roundTrip } = await start();
    expect(await roundTrip(new Invoice(7, new Date(0)))).toStrictEqual({ id: 7, due: new Date(0) });
    expect(await roundTrip({ price: new Money() })).toStrictEqual({ price: { cents: 250 } });
  });

  it.each(REFUSED)('%s is refused, with its path', async (_name, value, path) => {
    const { flowrra } = await start();
    const refusal = await flowrra.submit('echo', value).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(PayloadError);
    expect((refusal as PayloadError).path.startsWith(path)).toBe(true);
    expect((refusal as PayloadError).message).toContain(path);
    expect(await flowrra.pendingCount()).toBe(0);
  });

  it('the limit can be raised and lowered', async () => {
    const raised = await start({ maxPayloadBytes: 3_000_000 });
    expect(await raised.roundTrip('x'.repeat(1_100_000))).toHaveLength(1_100_000);
    const lowered = await start({ maxPayloadBytes: 100 });
    await expect(lowered.roundTrip('x'.repeat(101))).rejects.toThrow(PayloadError);
  });

  it('a result that cannot travel fails the job for good, and says why', async () => {
    const { flowrra, advance } = await start();
    flowrra.register({ name: 'returns a function' }, () => ({ callback: () => 1 }));
    const id = await flowrra.submit('returns a function');
    await advance(60_000);
    const result = await flowrra.getResult(id);
    expect(result).toMatchObject({
      status: 'failed',
      retries: 0,
      errors: [{ name: 'PayloadError', code: 'FLOWRRA_PAYLOAD' }],
    });
    expect(result?.error).toContain('result.callback');
  });

  it('a task shares no object with its caller, its readers or its own next attempt', async () => {
    const { flowrra, advance } = await start();
    const held: unknown[] = [];
    flowrra.register({ name: 'greedy', retryDelay: 1 }, (list: number[]) => {
      list.push(99);
      held.push(list);
      if (held.length === 1) throw new Error('again');
      return list;
    });
    const argument = [1];
    const id = await flowrra.submit('greedy', argument);
    argument.push(2);
    await advance(10);
    expect(held).toEqual([
      [1, 99],
      [1, 99],
    ]);
    const first = (await flowrra.waitForResult(id)).result as number[];
    first.push(100);
    (held[1] as number[]).push(101);
    expect((await flowrra.waitForResult(id)).result).toEqual([1, 99]);
    expect((await flowrra.getResult(id))?.result).toEqual([1, 99]);
    expect(argument).toEqual([1, 2]);
  });

  it('submitMany refuses the whole, if one of its payloads cannot travel', async () => {
    const { flowrra, advance } = await start();
    await expect(flowrra.submitMany('echo', [[1], [() => 2]])).rejects.toThrow(PayloadError);
    await advance(0);
    expect(await flowrra.pendingCount()).toBe(0);
  });
}
