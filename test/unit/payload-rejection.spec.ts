import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { Observable, of } from 'rxjs';
import { PayloadError } from '../../lib/job/errors.js';
import { PayloadCodec } from '../../lib/job/payload/payload-codec.js';
import { rejectionOf } from '../support/payload-rejection.js';

const MAX_BYTES = 10_000;
const codec = new PayloadCodec({ maxBytes: MAX_BYTES });
const roomy = new PayloadCodec({ maxBytes: 1_000_000 });

const rejected = (...args: unknown[]): PayloadError => rejectionOf(() => codec.copyArgs(args));

describe('PayloadCodec: rejected values', () => {
  class Secret {
    #key = 'k';
    reveal(): string {
      return this.#key;
    }
  }

  it.each<[string, unknown, RegExp]>([
    ['a function', () => 1, /a function cannot travel/],
    ['a class', Secret, /a function cannot travel/],
    ['a symbol', Symbol('s'), /a symbol cannot travel/],
    ['a boxed symbol', Object(Symbol('s')), /a symbol cannot travel/],
    ['a promise', Promise.resolve(1), /a promise cannot travel.*await it/],
    ['a thenable', new (class { a = 1; then(): void {} })(), /a promise cannot travel/], // prettier-ignore
    ['a WeakMap', new WeakMap(), /a WeakMap cannot travel/],
    ['a WeakSet', new WeakSet(), /a WeakSet cannot travel/],
    ['a WeakRef', new WeakRef({}), /a WeakRef cannot travel/],
    ['a Blob', new Blob(['x']), /a Blob cannot travel/],
    ['a Node stream', Readable.from([]), /a stream cannot travel/],
    ['a web stream', new ReadableStream(), /a stream cannot travel/],
    ['a generator', (function* () { yield 1; })(), /iterator or generator/], // prettier-ignore
    ['an async generator', (async function* () { yield 1; })(), /iterator or generator/], // prettier-ignore
    ['an iterator of an array', [1].values(), /iterator or generator/],
    ['an iterator of a Map', new Map().entries(), /iterator or generator/],
    ['an AbortSignal', new AbortController().signal, /an? AbortSignal cannot travel/],
    ['shared memory', new SharedArrayBuffer(4), /a SharedArrayBuffer cannot travel/],
    ['a view of shared memory', new Uint8Array(new SharedArrayBuffer(4)), /view of a SharedArrayBuffer/],
    ['an Observable', of(1), /an Observable cannot travel/],
    ['another Observable', new Observable(), /an Observable cannot travel/],
    ['private state and nothing else', new Secret(), /this Secret has no enumerable properties.*toJSON\(\)/],
    ['a built-in class that is not carried', new Headers({ a: '1' }), /this Headers has no enumerable/],
    ['a proxy of a built-in class', new Proxy(new Map(), {}), /no enumerable properties/],
  ])('%s, wherever it stands', (_name, value, problem) => {
    expect(rejected(value)).toMatchObject({ path: 'args[0]', message: expect.stringMatching(problem) });
    expect(rejected(1, { user: { save: value } }).path).toBe('args[1].user.save');
    expect(rejectionOf(() => codec.copyResult(value)).path).toBe('result');
    expect(rejectionOf(() => codec.copyResult([0, value])).path).toBe('result[1]');
  });

  it('a message port', () => {
    const { port1, port2 } = new MessageChannel();
    expect(rejected(port1).path).toBe('args[0]');
    port1.close();
    port2.close();
  });

  it('an emitter with a listener, which is a function', () => {
    expect(rejected(new EventEmitter().on('tick', () => {})).path).toBe('args[0]._events.tick');
  });

  it('a revoked proxy', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(rejected({ a: proxy })).toMatchObject({ path: 'args[0].a', cause: expect.any(TypeError) });
  });

  it('has a code, the path and one message that shows both', () => {
    const error = rejected(0, { user: { save() {} } });
    expect(error.code).toBe('FLOWRRA_PAYLOAD');
    expect(error.message).toBe(
      'args[1].user.save: a function cannot travel with a job; pass the data it needs instead',
    );
  });
});

describe('PayloadCodec: the path', () => {
  const bad = (): void => {};

  it.each<[string, unknown]>([
    ['args[0][2]', [1, 2, bad]],
    ['args[0]["first name"]', { 'first name': bad }],
    ['args[0]["a\\"b"]', { 'a"b': bad }],
    ['args[0].größe', { größe: bad }],
    ['args[0][""]', { '': bad }],
    ['args[0].__proto__', Object.defineProperty({}, '__proto__', { value: bad, enumerable: true })],
    ['args[0].get("ada")', new Map([['ada', bad]])],
    ['args[0].values()[1].x', new Map<unknown, unknown>([[0, 0], [1, { x: bad }]])], // prettier-ignore
    ['args[0].keys()[1]', new Map<unknown, unknown>([['a', 0], [bad, 1]])], // prettier-ignore
    ['args[0].values()[1]', new Set([1, bad])],
    ['args[0].cause', new Error('x', { cause: bad })],
    ['args[0].errors[1]', new AggregateError([1, bad])],
    ['args[0].config.retry', Object.assign(new Error('x'), { config: { retry: bad } })],
    ['args[0].in', { toJSON: () => ({ in: bad }) }],
    ['args[0]', { toJSON: () => bad }],
  ])('%s', (path, value) => {
    expect(rejected(value).path).toBe(path);
  });

  it('is right after a container has been copied', () => {
    expect(
      rejected([[[1]], { a: { b: 1 } }, new Map([[{}, {}]]), new Set([1]), new Error('e'), bad]).path,
    ).toBe('args[0][5]');
  });

  it('leaves out the middle if it is very long', () => {
    let value: unknown = bad;
    for (let level = 0; level < 100; level++) value = [value];
    expect(rejected(value).path).toBe(`args${'[0]'.repeat(12)} … ${'[0]'.repeat(6)}`);
  });
});

describe('PayloadCodec: cycles', () => {
  it('are reported instead of depth, with the position where they close', () => {
    const user: Record<string, unknown> = { name: 'Ada' };
    user.posts = [{ author: user }];
    const error = rejected(0, user);
    expect(error.path).toBe('args[1].posts[0].author');
    expect(error.message).toContain('refers back to itself (it is args[1], which contains it)');
    expect(rejectionOf(() => codec.copyResult(user)).path).toBe('result.posts[0].author');
  });

  it('are reported instead of size', () => {
    const list: unknown[] = ['x'.repeat(MAX_BYTES / 3)];
    list.push(list);
    expect(rejected(list)).toMatchObject({
      path: 'args[0][1]',
      message: expect.stringContaining('refers back'),
    });
    // The second lap ends at its first byte, or at its list of two entries.
    for (const spent of [18, 34]) {
      const exact: unknown[] = ['x'.repeat(MAX_BYTES - spent)];
      exact.push(exact);
      expect(rejected(exact)).toMatchObject({
        path: 'args[0][1]',
        message: expect.stringContaining('refers back'),
      });
    }
  });

  it('are found through a Map, a Set, an error and a toJSON()', () => {
    const map = new Map<string, unknown>();
    map.set('self', new Set([map]));
    expect(rejected(map).path).toBe('args[0].get("self").values()[0]');
    const error = new Error('x');
    error.cause = { error };
    expect(rejected(error).path).toBe('args[0].cause.error');
    class Node {
      toJSON(): unknown {
        return { self: this };
      }
    }
    expect(rejected(new Node())).toMatchObject({
      path: 'args[0].self',
      message: expect.stringContaining('refers back'),
    });
  });

  it('are not reported for a value that is only deep', () => {
    let value: unknown = 1;
    for (let level = 0; level < 600; level++) value = [value];
    expect(rejected(value).message).toContain('nested deeper than 500 levels');
  });
});

describe("PayloadCodec: errors in the user's code", () => {
  const failure = new Error('no database');

  it('a getter that throws', () => {
    const error = rejected({ user: { get name() { throw failure; } } }); // prettier-ignore
    expect(error).toMatchObject({ path: 'args[0].user.name', cause: failure });
    expect(error.message).toContain('reading the value threw: no database');
  });

  it('a toJSON() that throws', () => {
    const error = rejected({ user: { toJSON() { throw failure; } } }); // prettier-ignore
    expect(error).toMatchObject({ path: 'args[0].user', cause: failure });
    expect(error.message).toContain('its toJSON() threw: no database');
  });

  it('a getter that throws a PayloadError of its own', () => {
    const own = new PayloadError('elsewhere', 'mine');
    expect(rejected({ get a() { throw own; } })).toMatchObject({ path: 'args[0].a', cause: own }); // prettier-ignore
  });

  it.each([[undefined], [null], [Symbol('s')], [{ toString: null }], [Object.create(null)]])(
    'a getter that throws no error: %#',
    (thrown: unknown) => {
      expect(rejected({ get a() { throw thrown; } }).path).toBe('args[0].a'); // prettier-ignore
    },
  );

  it('getters without end', () => {
    const endless = (): object => ({ get next() { return endless(); } }); // prettier-ignore
    expect(rejectionOf(() => roomy.copyArgs([endless()])).message).toContain('nested deeper than 500 levels');
  });

  it('a toJSON() without end', () => {
    const endless = (): object => ({ toJSON: () => ({ next: endless() }) });
    expect(rejectionOf(() => roomy.copyArgs([endless()])).message).toContain('nested deeper than 500 levels');
  });

  it('a trap of a proxy that throws', () => {
    const proxy = new Proxy({}, { ownKeys() { throw failure; } }); // prettier-ignore
    expect(rejected({ proxy })).toMatchObject({ path: 'args[0].proxy', cause: failure });
  });

  it('a getter that submits something itself', () => {
    const outer = { a: { get b() { return codec.copyArgs([{ deep: { er: 1 } }]).length; } }, c: () => {} }; // prettier-ignore
    expect(rejected(outer).path).toBe('args[0].c');
  });

  it('after a rejection the codec copies the next payload', () => {
    rejected(() => {});
    expect(codec.copyArgs([{ a: 1 }])).toEqual([{ a: 1 }]);
  });
});
