import { type CanActivate, Injectable, type Provider, UseGuards, UseInterceptors } from '@nestjs/common';
import { type Observable, of } from 'rxjs';
import { FlowrraConfigError, type FlowrraService, Task } from '../../lib/index.js';
import { startApp, type TestApp } from '../support/app.js';

@Injectable()
class Books {
  readonly open = false;
}

@Injectable()
class OpenBooks implements CanActivate {
  constructor(private readonly books: Books) {}

  canActivate(): boolean {
    return this.books.open;
  }
}

@Injectable()
class Bills {
  @UseGuards(OpenBooks)
  @Task()
  write(): string {
    return 'written';
  }
}

class Stub {
  intercept(): Observable<string> {
    return of('instead');
  }
}

const apps: TestApp[] = [];
afterEach(async () => {
  for (const { app } of apps.splice(0)) await app.close();
});

async function start(...providers: Provider[]): Promise<FlowrraService> {
  const app = await startApp({}, { providers: [Books, ...providers] });
  apps.push(app);
  return app.flowrra;
}

it('a bound guard class has its dependencies injected from the module', async () => {
  const flowrra = await start(Bills);
  const id = await flowrra.submit('Bills.write');
  expect(await flowrra.waitForResult(id)).toMatchObject({ errors: [{ code: 'FLOWRRA_FORBIDDEN' }] });
});

it('one that Nest does not make, since it has not made the provider, fails the start', async () => {
  for (const provider of [
    { provide: Bills, useValue: new Bills() },
    { provide: Bills, useFactory: () => new Bills() },
  ]) {
    const starting = start(provider);
    await expect(starting).rejects.toThrow(FlowrraConfigError);
    await expect(starting).rejects.toThrow(
      /Bills\.write has @UseGuards\(\) with OpenBooks.*List Bills itself among the providers, or bind an instance/,
    );
  }
});

it('a bound instance runs for providers of any kind', async () => {
  @UseInterceptors(new Stub())
  class Made {
    @Task()
    work(): string {
      return 'done';
    }
  }
  const flowrra = await start({ provide: 'MADE', useFactory: () => new Made() });
  const id = await flowrra.submit('Made.work');
  expect(await flowrra.waitForResult(id)).toMatchObject({ result: 'instead' });
});

/** Wraps a method, as a decorator that traces or caches does. */
function Wrapped(copiesMetadata = false): MethodDecorator {
  return (_target, _key, descriptor) => {
    const method = descriptor.value as (...args: unknown[]) => unknown;
    const wrapper = function (this: unknown, ...args: unknown[]): unknown {
      return method.apply(this, args);
    };
    if (copiesMetadata)
      for (const key of Reflect.getMetadataKeys(method))
        Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapper);
    descriptor.value = wrapper as never;
  };
}

it('a guard below a decorator that wraps the method fails the start, for each position of @Task()', async () => {
  @Injectable()
  class Above {
    @Task()
    @Wrapped()
    @UseGuards(OpenBooks)
    work(): void {}
  }
  @Injectable()
  class Below {
    @Wrapped()
    @UseGuards(OpenBooks)
    @Task()
    work(): void {}
  }
  @Injectable()
  class Between {
    @Task()
    @UseInterceptors(Stub)
    @Wrapped()
    @UseInterceptors(new Stub())
    work(): void {}
  }
  @Injectable()
  class Heir extends Above {}
  for (const [type, message] of [
    [
      Above,
      /Above\.work has @UseGuards\(\) with OpenBooks below a decorator that wraps.*Move @UseGuards\(\) above/,
    ],
    [Below, /Below\.work has @UseGuards\(\) with OpenBooks below a decorator that wraps/],
    [Between, /Between\.work has @UseInterceptors\(\) with Stub below a decorator that wraps/],
    [Heir, /Above\.work has @UseGuards\(\) with OpenBooks below a decorator that wraps/],
  ] as const)
    await expect(start(type)).rejects.toThrow(message);
});

it('a guard runs above a decorator that wraps the method, and below one that copies its metadata', async () => {
  @Injectable()
  class Guarded {
    @UseGuards(OpenBooks)
    @Task({ maxRetries: 0 })
    @Wrapped()
    above(): void {}

    @Task({ maxRetries: 0 })
    @Wrapped(true)
    @UseGuards(OpenBooks)
    below(): void {}
  }
  const flowrra = await start(Guarded);
  for (const method of ['above', 'below'] as const) {
    const result = await flowrra.waitForResult(await flowrra.tasks(Guarded)[method]());
    expect(result.errors[0]?.code).toBe('FLOWRRA_FORBIDDEN');
  }
});

it('a method that overrides a guarded task, and does not say so, fails the start', async () => {
  @Injectable()
  class Hasty extends Bills {
    override write(): string {
      return 'written unseen';
    }
  }
  await expect(start(Hasty)).rejects.toThrow(
    /Hasty\.write overrides Bills\.write.*@UseGuards\(\).*Repeat all decorators on Hasty\.write/,
  );
  @Injectable()
  class Careful extends Bills {
    @Task()
    override write(): string {
      return 'written on purpose';
    }
  }
  const flowrra = await start(Careful);
  expect(await flowrra.waitForResult(await flowrra.submit('Careful.write'))).toMatchObject({
    result: 'written on purpose',
  });
});
