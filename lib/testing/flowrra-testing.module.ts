import type { DynamicModule, Provider } from '@nestjs/common';
import { FlowrraConfigError } from '../job/errors.js';
import { TaskExplorer } from '../nest/discovery/task-explorer.js';
import { configured, MODULE_OPTIONS_TOKEN } from '../nest/flowrra.module-definition.js';
import { FlowrraModule } from '../nest/flowrra.module.js';
import { FlowrraService } from '../nest/flowrra.service.js';
import { checkKeys, wrong } from '../job/check.js';
import { date, flag, oneOf, OptionTable, type RulesOf } from '../job/rules.js';
import {
  type FlowrraModuleOptions,
  MODULE_RULES,
  RESOLVED_OPTIONS,
  type ResolvedOptions,
  resolveModuleOptions,
} from '../nest/options/module-options.js';
import { FlowrraTesting } from './flowrra-testing.js';
import { Replays } from './replays.js';
import { TestClock } from './test-clock.js';
import type { TestMode } from './test-connection.js';
import { testOutbox } from './test-outbox.js';
import { TestEngine } from './test-engine.js';

/** Options of the test kit. */
export interface FlowrraTestingOptions {
  /**
   * Whether jobs run: `'fake'` only records them, `'inline'` runs each at its submission, `'manual'` runs them when
   * the test says so.
   *
   * @defaultValue `'manual'`
   */
  mode?: TestMode;
  /**
   * The time of the clock at the start.
   *
   * @defaultValue the system's time
   */
  now?: Date;
  /**
   * Whether the method of a durable task is run again after each call that has stored something, such as a step.
   * `drain()` and `clock.advance()` reject with a `DurableTaskError` if a run leaves out a call of the run before, makes
   * the calls in another order, or gives a child job other arguments. Only with the mode `'manual'`.
   *
   * @defaultValue `false`
   */
  replay?: boolean;
  /**
   * Whether submissions in transactions use the outbox of the application, with its database: `drain()` and
   * `clock.advance()` hand committed jobs on first. If not, no database is needed: a submission in a transaction, which
   * may be any object, is one outside of it, also if the transaction is rolled back.
   *
   * @defaultValue `false`
   */
  useOutbox?: boolean;
}

const TESTING_RULES = new OptionTable({
  mode: oneOf(['fake', 'inline', 'manual'], 'manual'),
  now: date,
  replay: flag(false),
  useOutbox: flag(false),
} satisfies RulesOf<FlowrraTestingOptions>);
const TESTING_KEYS = TESTING_RULES.keys;

/** The part of Nest's `TestingModuleBuilder` that {@link FlowrraTestingModule.override} uses. */
interface Overridable {
  overrideProvider(token: unknown): {
    useFactory(options: { factory: (...args: never[]) => unknown; inject?: unknown[] }): unknown;
    useClass(type: unknown): unknown;
  };
}

/** Flowrra for tests: without a server, without threads, and with a clock that the test moves. */
export class FlowrraTestingModule {
  /**
   * Replaces `FlowrraModule.forRoot()` in a testing module that lists its own providers.
   *
   * @throws {FlowrraConfigError} if an option is unknown.
   */
  static forRoot(options: FlowrraModuleOptions & FlowrraTestingOptions = {}): DynamicModule {
    checkKeys(options, [...TESTING_KEYS, ...MODULE_RULES.keys], 'FlowrraTestingModule options');
    const { mode, now, replay, useOutbox, ...own } = options;
    const real = FlowrraModule.forRoot(own);
    const providers: Provider[] = [
      ...(real.providers ?? []),
      {
        provide: RESOLVED_OPTIONS,
        inject: [MODULE_OPTIONS_TOKEN, TaskExplorer],
        useFactory: (given: FlowrraModuleOptions, explorer: TaskExplorer) =>
          testOptions(given, explorer, { mode, now, replay, useOutbox }),
      },
      { provide: FlowrraService, useClass: FlowrraTesting },
      { provide: FlowrraTesting, useExisting: FlowrraService },
    ];
    return { ...real, providers, exports: [...(real.exports ?? []), FlowrraTesting] };
  }

  /**
   * Replaces Flowrra in an application that imports `FlowrraModule`:
   * `FlowrraTestingModule.override(Test.createTestingModule({ imports: [AppModule] }))`. Then
   * `FlowrraTestingModule.of(module)` returns the {@link FlowrraTesting}.
   *
   * @throws {FlowrraConfigError} if an option is unknown.
   */
  static override<B extends Overridable>(builder: B, options: FlowrraTestingOptions = {}): B {
    checkKeys(options, TESTING_KEYS, 'FlowrraTestingModule options');
    builder.overrideProvider(RESOLVED_OPTIONS).useFactory({
      inject: [MODULE_OPTIONS_TOKEN, TaskExplorer],
      // The application's backend may need a server, so results are stored in memory.
      factory: (given: FlowrraModuleOptions, explorer: TaskExplorer) =>
        testOptions({ ...configured(given), backend: undefined }, explorer, options),
    });
    builder.overrideProvider(FlowrraService).useClass(FlowrraTesting);
    return builder;
  }

  /**
   * The Flowrra of a testing module.
   *
   * @throws {FlowrraConfigError} if the module uses the real Flowrra.
   */
  static of(module: {
    get(token: typeof FlowrraService, options: { strict: false }): FlowrraService;
  }): FlowrraTesting {
    const flowrra = module.get(FlowrraService, { strict: false });
    if (flowrra instanceof FlowrraTesting) return flowrra;
    throw new FlowrraConfigError(
      'This module uses the real Flowrra. Create it with FlowrraTestingModule.override(Test.createTestingModule(…)), or import FlowrraTestingModule.forRoot() instead of FlowrraModule.forRoot().',
    );
  }
}

function testOptions(
  given: FlowrraModuleOptions,
  explorer: TaskExplorer,
  options: FlowrraTestingOptions,
): ResolvedOptions {
  const { mode, now, replay, useOutbox } = TESTING_RULES.apply(options, '');
  if (replay && mode !== 'manual')
    throw wrong(
      'replay',
      replay,
      "It needs the mode 'manual': drain() and clock.advance() report differences.",
    );
  const clock = new TestClock(now);
  const durableProbe = replay ? new Replays() : undefined;
  const engine = new TestEngine(mode, clock, durableProbe);
  const application = { ...given, engine: 'memory:', role: 'all', clock } as const;
  const resolved = resolveModuleOptions(application, explorer.features());
  const outbox = useOutbox || resolved.outbox === null ? resolved.outbox : testOutbox;
  return { ...resolved, engine, outbox, cpu: { ...resolved.cpu, mode: 'inline' }, quiet: true, durableProbe };
}
