import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { NEVER, of, throwError } from 'rxjs';
import { Task } from '../../lib/index.js';
import type { Beds } from './engine-under-test.js';

@Injectable()
class Hostile {
  @Task({ maxRetries: 0 })
  throwsUndefined(): void {
    throw undefined;
  }

  @Task({ maxRetries: 0 })
  rejectsNull(): Promise<void> {
    return Promise.reject(null);
  }

  @Task({ maxRetries: 0 })
  throwsText(): void {
    throw 'just text';
  }

  @Task({ maxRetries: 0 })
  throwsObject(): void {
    throw { code: 5, details: { field: 'total' } };
  }

  @Task({ maxRetries: 0 })
  throwsHandles(): void {
    throw { status: 502, retry: () => undefined };
  }

  @Task({ maxRetries: 0 })
  throwsHugeObject(): void {
    throw { text: 'x'.repeat(10_000) };
  }

  @Task({ maxRetries: 0 })
  throwsObjectTrap(): void {
    throw new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('do not look at me');
        },
      },
    );
  }

  @Task({ maxRetries: 0 })
  throwsTrap(): void {
    throw new Proxy(new Error('trap'), {
      get() {
        throw new Error('do not look at me');
      },
    });
  }

  @Task({ maxRetries: 0 })
  unprintableError(): void {
    throw new Error('a NUL \0 and half a pair \ud800');
  }

  @Task({ maxRetries: 0 })
  hugeError(): void {
    throw new Error('x'.repeat(5_000_000));
  }

  @Task({
    maxRetries: 1,
    retryDelay: 1,
    backoff: () => {
      throw { toString: null };
    },
  })
  throwsInBackoff(): void {
    throw new Error('x');
  }

  @Task({ maxRetries: 1, retryDelay: 1, backoff: (async () => Promise.reject(new Error('later'))) as never })
  rejectsInBackoff(): void {
    throw new Error('x');
  }

  @Task({ maxRetries: 0 })
  throwsTrappedDelay(): void {
    throw Object.defineProperty(Object.assign(new Error('x'), { code: 'FLOWRRA_RETRY' }), 'delay', {
      get() {
        throw new Error('do not look at me');
      },
    });
  }

  @Task({ maxRetries: 0 })
  snoozesForNothing(): void {
    throw Object.assign(new Error('no delay'), { code: 'FLOWRRA_SNOOZE' });
  }

  @Task({ maxRetries: 0 })
  answersTrap(): unknown {
    class Trap extends Promise<string> {
      override then(): never {
        throw new Error('do not wait for me');
      }
    }
    return new Trap(() => undefined);
  }

  @Task()
  lastOfMany() {
    return of(1, 2, 3);
  }

  @Task({ maxRetries: 0 })
  brokenObservable() {
    return throwError(() => new Error('the source broke'));
  }

  @Task({ maxRetries: 0, timeout: '1s', killGrace: 0 })
  endlessObservable() {
    return NEVER;
  }

  @Task({ maxRetries: 0 })
  stream() {
    return { body: Readable.from(['a']) };
  }

  @Task({ maxRetries: 0 })
  throwingGetter() {
    return {
      get value(): never {
        throw new Error('not serialisable today');
      },
    };
  }

  @Task({ maxRetries: 0 })
  thenable() {
    return {
      then(resolve: (value: string) => void): void {
        resolve('settled');
        resolve('settled again');
      },
    };
  }

  @Task({ maxRetries: 0 })
  *generator() {
    yield 1;
  }
}

const FAILURES: readonly [keyof Hostile, RegExp][] = [
  ['throwsUndefined', /NonError: The task threw undefined/],
  ['rejectsNull', /NonError: The task threw null/],
  ['throwsText', /NonError: The task threw 'just text'/],
  [
    'throwsObject',
    /NonError: The task threw {"code":5,"details":{"field":"total"}}, which is not an Error\./,
  ],
  ['throwsHandles', /NonError: The task threw an object with status, retry, which is not an Error\./],
  ['throwsHugeObject', /NonError: The task threw {"text":"x{900,990}…, which is not an Error\./],
  ['throwsObjectTrap', /NonError: The task threw an object, which is not an Error\./],
  ['throwsTrap', /./],
  ['unprintableError', /a NUL . and half a pair ./],
  ['brokenObservable', /Error: the source broke/],
  ['stream', /PayloadError: result\.body/],
  ['throwingGetter', /PayloadError: result\.value/],
  ['generator', /PayloadError: result/],
];

export function hostileCases(beds: Beds): void {
  it.each(FAILURES)('a task that misbehaves fails its job and nothing else: %s', async (key, message) => {
    const { flowrra, advance } = await beds.start([Hostile], { numWorkers: 1 });
    const id = await flowrra.submit(`Hostile.${key}`);
    await advance(10_000);
    const result = await flowrra.getResult(id);
    expect(result?.status).toBe('failed');
    expect(result?.error).toMatch(message);
    const next = await flowrra.submit('Hostile.lastOfMany');
    await advance(0);
    expect((await flowrra.getResult(next))?.result).toBe(3);
  });

  it('an error of any size is kept short', async () => {
    const { flowrra } = await beds.start([Hostile]);
    const result = await flowrra.waitForResult(await flowrra.tasks(Hostile).hugeError());
    expect(JSON.stringify(result).length).toBeLessThan(20_000);
  });

  it('a task that never settles is ended by its timeout', async () => {
    const { flowrra, advance } = await beds.start([Hostile], { numWorkers: 1 });
    const id = await flowrra.tasks(Hostile).endlessObservable();
    await advance(1_000);
    expect((await flowrra.getResult(id))?.error).toMatch(/TaskRunTimeoutError/);
  });

  it('a thenable counts once', async () => {
    const { flowrra } = await beds.start([Hostile]);
    expect((await flowrra.waitForResult(await flowrra.tasks(Hostile).thenable())).result).toBe('settled');
  });

  it.each([
    'throwsInBackoff',
    'rejectsInBackoff',
    'throwsTrappedDelay',
    'snoozesForNothing',
    'answersTrap',
  ] as const)('%s fails, and takes no place with it', async (name) => {
    const { flowrra, app, advance } = await beds.start([Hostile], { numWorkers: 1 });
    const hostile = app.get(Hostile);
    const id = await flowrra.tasks(Hostile)[name]();
    await advance(1_000);
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'failed' });
    const next = await flowrra.submit(hostile.lastOfMany);
    await advance(1_000);
    expect((await flowrra.waitForResult(next)).result).toBe(3);
  });
}
