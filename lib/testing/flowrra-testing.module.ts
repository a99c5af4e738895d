import { types } from 'node:util';
import type { DynamicModule, Provider } from '@nestjs/common';
import { FlowrraConfigError } from '../job/errors.js';
import { TaskExplorer } from '../nest/discovery/task-explorer.js';
import { configured, MODULE_OPTIONS_TOKEN } from '../nest/flowrra.module-definition.js';
import { FlowrraModule } from '../nest/flowrra.module.js';
import { FlowrraService } from '../nest/flowrra.service.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../nest/options/resolved-options.js';
import { checkKeys, keysOf, oneOf, wrong } from '../job/check.js';
import type { FlowrraModuleOptions } from '../nest/options/module-options.js';
import { MODULE_KEYS, resolveModuleOptions } from '../nest/options/resolve-module-options.js';
import { FlowrraTesting } from './flowrra-testing.js';
import { TestClock } from './test-clock.js';
import type { TestMode } from './test-connection.js';
import { TestEngine } from './test-engine.js';

/** Options of a test. */
export interface FlowrraTestingOptions {
  /** How jobs run. @defaultValue `'manual'` */
  mode?: TestMode;
  /** The first time of the clock. @defaultValue now */
  now?: Date;
}

const TESTING_KEYS = keysOf<FlowrraTestingOptions>({ mode: true, now: true });

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
    checkKeys(options, [...TESTING_KEYS, ...MODULE_KEYS], 'FlowrraTestingModule options');
    const { mode, now, ...own } = options;
    const real = FlowrraModule.forRoot(own);
    const providers: Provider[] = [
      ...(real.providers ?? []),
      {
        provide: RESOLVED_OPTIONS,
        inject: [MODULE_OPTIONS_TOKEN, TaskExplorer],
        useFactory: (given: FlowrraModuleOptions, explorer: TaskExplorer) =>
          testOptions(given, explorer, { ...(mode && { mode }), ...(now && { now }) }),
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
  { mode, now }: FlowrraTestingOptions,
): ResolvedOptions {
  if (now !== undefined && !(types.isDate(now) && !Number.isNaN(now.getTime())))
    throw wrong('now', now, 'It must be a valid Date.');
  const clock = new TestClock(now);
  const engine = new TestEngine(oneOf(mode, 'mode', ['fake', 'inline', 'manual'], 'manual'), clock);
  const application = { ...given, engine: 'memory:', role: 'all', clock } as const;
  const resolved = resolveModuleOptions(application, explorer.features());
  return { ...resolved, engine, cpu: { ...resolved.cpu, mode: 'inline' }, quiet: true };
}
