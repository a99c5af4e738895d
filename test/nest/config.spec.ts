import { type DynamicModule, type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import {
  FlowrraConfigError,
  FlowrraModule,
  type FlowrraModuleOptions,
  FlowrraService,
  Task,
} from '../../lib/index.js';

@Injectable()
class Mail {
  tries = 0;

  @Task({ maxRetries: 0 })
  send(): number {
    if (++this.tries < 3) throw new Error('451 try later');
    return this.tries;
  }
}

const open: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
  for (const name of Object.keys(process.env)) if (name.startsWith('MAIL_')) delete process.env[name];
});

async function start(...imports: (DynamicModule | Promise<DynamicModule>)[]): Promise<FlowrraService> {
  @Module({ imports, providers: [Mail] })
  class Root {}
  const app = await NestFactory.createApplicationContext(Root, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  open.push(app);
  return app.get(FlowrraService);
}

/** What became of a mail, and the queue that it went through. */
async function send(flowrra: FlowrraService): Promise<unknown[]> {
  const queues = new Set<string>();
  flowrra.events$.subscribe(({ queue }) => queues.add(queue));
  const result = await flowrra.waitForResult(await flowrra.submit('Mail.send'));
  return [result.status, result.result, ...queues];
}

const tuned: FlowrraModuleOptions = {
  numWorkers: 2,
  queues: { mail: { concurrency: 3 } },
  tasks: { 'Mail.send': { maxRetries: 4, retryDelay: 0, queue: 'mail' } },
};

it('takes its options, those of tasks included, from a ConfigService', async () => {
  const flowrra = await start(
    ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [() => ({ flowrra: tuned })] }),
    FlowrraModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => config.getOrThrow<FlowrraModuleOptions>('flowrra'),
    }),
  );
  expect(await send(flowrra)).toEqual(['success', 3, 'mail']);
});

it('from a namespace, as a provider', async () => {
  const config = registerAs('flowrra', () => tuned);
  const flowrra = await start(
    ConfigModule.forRoot({ ignoreEnvFile: true }),
    FlowrraModule.forRootAsync(config.asProvider()),
  );
  expect(await send(flowrra)).toEqual(['success', 3, 'mail']);
});

it('from a ConfigModule that is imported where it is asked for, and the environment', async () => {
  process.env['MAIL_RETRIES'] = '2';
  process.env['MAIL_RETRY_DELAY'] = '0';
  const flowrra = await start(
    FlowrraModule.forRootAsync({
      imports: [
        ConfigModule.forRoot({
          ignoreEnvFile: true,
          validate: (env) => ({ ...env, MAIL_RETRIES: Number(env['MAIL_RETRIES']) }),
        }),
      ],
      inject: [ConfigService],
      useFactory: (config: ConfigService<{ MAIL_RETRIES: number; MAIL_RETRY_DELAY: string }, true>) => ({
        tasks: {
          'Mail.send': {
            maxRetries: config.get('MAIL_RETRIES', { infer: true }),
            retryDelay: Number(config.get('MAIL_RETRY_DELAY', { infer: true })),
          },
        },
      }),
    }),
  );
  expect(await send(flowrra)).toEqual(['success', 3, 'default']);
});

it('an error names the wrong option and its value from the configuration', async () => {
  process.env['MAIL_RETRIES'] = '2';
  const starting = (options: (config: ConfigService) => object): Promise<unknown> =>
    start(
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
      FlowrraModule.forRootAsync({ inject: [ConfigService], useFactory: options }),
    );
  // Text, as the environment has it.
  const text = starting((config) => ({
    tasks: { 'Mail.send': { maxRetries: config.get<number>('MAIL_RETRIES') } },
  }));
  await expect(text).rejects.toThrow(FlowrraConfigError);
  await expect(text).rejects.toThrow(/Mail\.send.*maxRetries: '2'/);
  await expect(starting((config) => ({ numWorkers: config.get<string>('MAIL_RETRIES') }))).rejects.toThrow(
    /numWorkers: '2'/,
  );
  await expect(starting((config) => ({ engine: config.getOrThrow<string>('MAIL_ENGINE') }))).rejects.toThrow(
    /MAIL_ENGINE/,
  );
});

it('missing variables leave the defaults, except for the engine: a missing URL would lose jobs', async () => {
  const flowrra = await start(
    ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
    FlowrraModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({ numWorkers: config.get<number>('MAIL_WORKERS') }),
    }),
  );
  expect(await send(flowrra)).toEqual(['failed', null, 'default']);
  const withoutEngine = start(
    ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
    FlowrraModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({ engine: config.get<string>('MAIL_ENGINE') }),
    }),
  );
  await expect(withoutEngine).rejects.toThrow(
    'engine: undefined is not valid. Is the environment variable set?',
  );
});
