import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraConfigError, FlowrraModule, FlowrraService } from '../../lib/index.js';

const quiet = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };

describe('forRootAsync', () => {
  const run = async (module: ReturnType<typeof FlowrraModule.forRootAsync>): Promise<unknown> => {
    @Module({ imports: [module] })
    class Root {}
    const app = await NestFactory.createApplicationContext(Root, quiet);
    const flowrra = app.get(FlowrraService);
    flowrra.register({ name: 'echo' }, (value: unknown) => value);
    const [, second] = await Promise.all([
      flowrra.submit('echo', 1),
      flowrra.submit('echo', 2).catch((error: Error) => error.name),
    ]);
    await app.close();
    return second;
  };
  @Injectable()
  class Options {
    createFlowrraOptions() {
      return { maxPending: 1, whenFull: 'reject' as const };
    }
  }
  @Module({ providers: [Options], exports: [Options] })
  class OptionsModule {}

  it('takes a factory with injected providers', async () => {
    expect(
      await run(
        FlowrraModule.forRootAsync({
          imports: [OptionsModule],
          inject: [Options],
          useFactory: (options: Options) => options.createFlowrraOptions(),
        }),
      ),
    ).toBe('QueueFullError');
  });

  it('takes a class, and an existing provider', async () => {
    expect(await run(FlowrraModule.forRootAsync({ useClass: Options }))).toBe('QueueFullError');
    expect(await run(FlowrraModule.forRootAsync({ imports: [OptionsModule], useExisting: Options }))).toBe(
      'QueueFullError',
    );
  });

  it('an invalid option fails the start with its name', async () => {
    await expect(
      run(FlowrraModule.forRootAsync({ useFactory: () => ({ numWorker: 3 }) as object })),
    ).rejects.toThrow(FlowrraConfigError);
    await expect(
      run(FlowrraModule.forRootAsync({ useFactory: () => ({ numWorker: 3 }) as object })),
    ).rejects.toThrow(/numWorker.*numWorkers/s);
  });
});
