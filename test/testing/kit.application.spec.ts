import { jest as runner } from '@jest/globals';
import {
  type CanActivate,
  Injectable,
  Module,
  type PipeTransform,
  UseGuards,
  UsePipes,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  FlowrraModule,
  type FlowrraModuleOptions,
  type FlowrraOptionsFactory,
  ResultBackend,
  Task,
} from '../../lib/index.js';
import { FlowrraTestingModule } from '../../lib/testing/index.js';

class NeverServed extends ResultBackend {
  store(): Promise<never> {
    return Promise.reject(new Error('no server'));
  }

  get = this.store;
  waitFor = this.store;
}

@Injectable()
class Settings implements FlowrraOptionsFactory {
  createFlowrraOptions(): FlowrraModuleOptions {
    return { engine: 'postgres://nowhere:1/none', role: 'producer', backend: new NeverServed() };
  }
}

class Closed implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

class Loud implements PipeTransform<string> {
  transform(value: string): string {
    return value.toUpperCase();
  }
}

@Injectable()
class Greetings {
  readonly said: string[] = [];

  @UseGuards(Closed)
  @UsePipes(Loud)
  @Task({ timeout: '1s' })
  say(word: string): string {
    this.said.push(word);
    return word;
  }
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  runner.useRealTimers();
  for (const module of open.splice(0)) await module.close();
});

async function start(flowrra: ReturnType<typeof FlowrraModule.forRootAsync>) {
  @Module({ imports: [flowrra], providers: [Greetings] })
  class AppModule {}
  const builder = Test.createTestingModule({ imports: [AppModule] })
    .overrideGuard(Closed)
    .useValue({ canActivate: () => true })
    .overridePipe(Loud)
    .useValue({ transform: (word: string) => `${word}!` });
  const module = await FlowrraTestingModule.override(builder).compile();
  open.push(module);
  await module.init();
  return { flowrra: FlowrraTestingModule.of(module), greetings: module.get(Greetings) };
}

it.each([
  ['useFactory', { useFactory: async () => new Settings().createFlowrraOptions() }],
  ['useClass', { useClass: Settings }],
  ['useExisting', { imports: [SettingsModule], useExisting: Settings }],
])(
  'runs an application that is configured by %s, whatever engine, role and backend',
  async (_by, options) => {
    const { flowrra, greetings } = await start(FlowrraModule.forRootAsync(options));
    const id = await flowrra.submit(greetings.say, 'hello');
    await flowrra.drain();
    // With the guard and the pipe that the test has put in the place of the application's.
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success', result: 'hello!' });
  },
);

it('moves its own clock while the fake timers of a test runner stand still', async () => {
  runner.useFakeTimers();
  const { flowrra, greetings } = await start(FlowrraModule.forRootAsync({ useClass: Settings }));
  await flowrra.submit(greetings.say, 'now');
  await flowrra.drain();
  await flowrra.with({ delay: '1m' }).submit(greetings.say, 'later');
  await flowrra.clock.advance('1m');
  expect(greetings.said).toEqual(['now!', 'later!']);
});
