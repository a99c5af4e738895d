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

/** How jobs are treated in a test. */
export interface FlowrraTestingOptions {
  /** Default `'manual'`. */
  mode?: TestMode;
  /** Where the clock stands at first. Default: now. */
  now?: Date;
}

const TESTING_KEYS = keysOf<FlowrraTestingOptions>({ mode: true, now: true });

/** As much of Nest's `TestingModuleBuilder` as is needed here. */
interface Overridable {
  overrideProvider(token: unknown): {
    useFactory(options: { factory: (...args: never[]) => unknown; inject?: unknown[] }): unknown;
    useClass(type: unknown): unknown;
  };
}

/** Flowrra without a server, without threads and without waiting, for tests. */
export class FlowrraTestingModule {
  /** In the place of `FlowrraModule.forRoot()`, in a module that a test puts together itself. */
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
   * Lets a whole application, which imports `FlowrraModule` itself, run on it:
   * `FlowrraTestingModule.override(Test.createTestingModule({ imports: [AppModule] }))`. Get it with
   * `FlowrraTestingModule.of(module)`.
   */
  static override<B extends Overridable>(builder: B, options: FlowrraTestingOptions = {}): B {
    checkKeys(options, TESTING_KEYS, 'FlowrraTestingModule options');
    builder.overrideProvider(RESOLVED_OPTIONS).useFactory({
      inject: [MODULE_OPTIONS_TOKEN, TaskExplorer],
      // A backend of the application's may need a server; results stay in memory.
      factory: (given: FlowrraModuleOptions, explorer: TaskExplorer) =>
        testOptions({ ...configured(given), backend: undefined }, explorer, options),
    });
    builder.overrideProvider(FlowrraService).useClass(FlowrraTesting);
    return builder;
  }

  /**
   * What a test asks and drives.
   *
   * @throws {FlowrraConfigError} if the module runs on the real Flowrra.
   */
  static of(module: {
    get(token: typeof FlowrraService, options: { strict: false }): FlowrraService;
  }): FlowrraTesting {
    const flowrra = module.get(FlowrraService, { strict: false });
    if (flowrra instanceof FlowrraTesting) return flowrra;
    throw new FlowrraConfigError(
      'This module runs on the real Flowrra. Make it with FlowrraTestingModule.override(Test.createTestingModule(…)), or import FlowrraTestingModule.forRoot() instead of FlowrraModule.forRoot().',
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
