import { type DynamicModule, Inject, Module, type Type } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { FlowrraConfigError } from '../job/errors.js';
import { FLOWRRA_INSTRUMENT, type Instrument } from '../run/instrumentation.js';
import { TaskRegistry } from '../run/task-registry.js';
import { FEATURE_OPTIONS, FlowrraFeatureModule } from './discovery/feature-queues.js';
import { TaskDiscovery } from './discovery/task-discovery.js';
import { TaskListeners } from './discovery/task-listeners.js';
import { TaskExplorer } from './discovery/task-explorer.js';
import { NestEnhancers } from './enhancers/nest-enhancers.js';
import { TaskEnhancements } from './enhancers/task-enhancements.js';
import { FlowrraLifecycle, LastModule } from './flowrra.lifecycle.js';
import {
  ConfigurableModuleClass,
  configured,
  MODULE_OPTIONS_TOKEN,
  NOT_CONFIGURED,
  type OPTIONS_TYPE,
} from './flowrra.module-definition.js';
import { FlowrraRuntime } from './flowrra.runtime.js';
import { FlowrraService } from './flowrra.service.js';
import { containerOf, ExternalContextCreator, orderHooks } from './nest-internals.js';
import {
  type FlowrraModuleOptions,
  RESOLVED_OPTIONS,
  type ResolvedOptions,
  resolveModuleOptions,
} from './options/module-options.js';
import type { FlowrraFeatureOptions } from './options/queue-options.js';
import { parentLink } from '../run/threads/parent-link.js';
import type { ResultBackend } from '../results/result-backend.js';

/**
 * Background tasks for a Nest application. Import `FlowrraModule.forRoot()` once, in the root module. It is
 * global: every provider can inject `FlowrraService`.
 */
@Module({
  imports: [LastModule],
  providers: [
    { provide: MODULE_OPTIONS_TOKEN, useValue: NOT_CONFIGURED },
    {
      provide: RESOLVED_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN, TaskExplorer],
      useFactory: (options: FlowrraModuleOptions, explorer: TaskExplorer) =>
        resolveModuleOptions(configured(options), explorer.features()),
    },
    TaskExplorer,
    {
      provide: TaskRegistry,
      inject: [RESOLVED_OPTIONS],
      useFactory: (options: ResolvedOptions) => new TaskRegistry(options.remoteTasks, parentLink() !== null),
    },
    {
      provide: TaskDiscovery,
      inject: [TaskExplorer, TaskRegistry, RESOLVED_OPTIONS, ExternalContextCreator],
      useFactory: (
        explorer: TaskExplorer,
        registry: TaskRegistry,
        options: ResolvedOptions,
        creator: ExternalContextCreator,
      ) => {
        const nest = new NestEnhancers(containerOf(creator), options.globalEnhancers);
        return new TaskDiscovery(explorer, registry, options, new TaskEnhancements(nest, options.clock));
      },
    },
    {
      provide: FlowrraRuntime,
      inject: [RESOLVED_OPTIONS, TaskRegistry, ModuleRef, { token: FLOWRRA_INSTRUMENT, optional: true }],
      useFactory: (
        options: ResolvedOptions,
        registry: TaskRegistry,
        moduleRef: ModuleRef,
        instrument?: Instrument,
      ) => {
        const createBackend = (type: Type<ResultBackend>) => moduleRef.create(type);
        return new FlowrraRuntime(options, registry, createBackend, instrument);
      },
    },
    {
      provide: TaskListeners,
      inject: [TaskExplorer, FlowrraRuntime],
      useFactory: (explorer: TaskExplorer, { events }: FlowrraRuntime) => new TaskListeners(explorer, events),
    },
    FlowrraService,
    FlowrraLifecycle,
  ],
  exports: [FlowrraService],
})
export class FlowrraModule extends ConfigurableModuleClass {
  /**
   * Configures Flowrra.
   *
   * @throws {FlowrraConfigError} when the application starts, if an option is unknown or invalid.
   */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /**
   * Declares the queues of a feature module. It can be imported in any number of modules. A queue can be declared
   * more than once with the same options.
   *
   * @throws {FlowrraConfigError} when the application starts, if an option is unknown or invalid, or if a queue is
   *   declared elsewhere with different options.
   */
  static forFeature(options: FlowrraFeatureOptions): DynamicModule {
    return {
      module: FlowrraFeatureModule,
      providers: [{ provide: FEATURE_OPTIONS, useValue: options }],
    };
  }

  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    super();
    const imported = [...modules.values()].filter((module) => module.metatype === FlowrraModule);
    if (imported.length > 1) {
      throw new FlowrraConfigError(
        'FlowrraModule.forRoot() is imported twice in one application. Import it once, in the root module: it is global.',
      );
    }
    orderHooks(modules, FlowrraModule, LastModule);
  }
}
