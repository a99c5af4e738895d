import { type DynamicModule, Inject, Module, type Type } from '@nestjs/common';
import { ModuleRef, ModulesContainer, type NestContainer } from '@nestjs/core';
import { ExternalContextCreator } from '@nestjs/core/helpers/external-context-creator.js';
import { FlowrraConfigError } from '../job/errors.js';
import { FLOWRRA_INSTRUMENT, type Instrument } from '../run/instrumentation.js';
import { TaskRegistry } from '../run/task-registry.js';
import { FEATURE_OPTIONS, FlowrraFeatureModule } from './discovery/feature-queues.js';
import { TaskDiscovery } from './discovery/task-discovery.js';
import { TaskListeners } from './discovery/task-listeners.js';
import { TaskExplorer } from './discovery/task-explorer.js';
import { NestEnhancers } from './enhancers/nest-enhancers.js';
import { TaskEnhancements } from './enhancers/task-enhancements.js';
import { FlowrraLifecycle } from './flowrra.lifecycle.js';
import {
  ConfigurableModuleClass,
  configured,
  MODULE_OPTIONS_TOKEN,
  NOT_CONFIGURED,
  type OPTIONS_TYPE,
} from './flowrra.module-definition.js';
import { LastModule, putFirstAndLast } from './flowrra.module-order.js';
import { FlowrraRuntime } from './flowrra.runtime.js';
import { FlowrraService } from './flowrra.service.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from './options/resolved-options.js';
import type { FlowrraFeatureOptions, FlowrraModuleOptions } from './options/module-options.js';
import { resolveModuleOptions } from './options/resolve-module-options.js';
import { parentLink } from '../run/threads/parent-link.js';
import type { ResultBackend } from '../results/result-backend.js';

/**
 * Background tasks for a Nest application. Import `FlowrraModule.forRoot()` once, in the root
 * module; it is global, so that every provider may inject `FlowrraService`.
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
        // Nest's own, which knows the container.
        { container }: { container: NestContainer },
      ) => {
        const nest = new NestEnhancers(container, options.globalEnhancers);
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
  /** @throws {FlowrraConfigError} when the application starts, if an option is unknown or wrong. */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /**
   * Lets a feature module bring its queues along. Import it as often as needed, in any module; a queue
   * may be declared more than once with the same options.
   *
   * @throws {FlowrraConfigError} when the application starts, if an option is unknown or wrong, or a
   *   queue is declared elsewhere with different options.
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
    putFirstAndLast(modules, FlowrraModule);
  }
}
