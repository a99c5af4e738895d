import {
  Inject,
  Injectable,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { TaskDiscovery } from './discovery/task-discovery.js';
import { TaskListeners } from './discovery/task-listeners.js';
import { FlowrraRuntime } from './flowrra.runtime.js';
import { moduleOf } from './nest-internals.js';
import { parentLink } from '../run/threads/parent-link.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from './options/module-options.js';

/** The time from the start to the check that shutdown hooks are enabled. */
const HOOKS_CHECK_MS = 5_000;

/** Its hooks run after those of every other module at the start, and before them at the stop. */
@Module({})
export class LastModule {}

/**
 * Connects the engine first and closes it last, so that other providers can submit in their `onModuleInit` and
 * until their last hook. The hooks of `FlowrraModule` run in this order; {@link JobsLifecycle} has the reverse order.
 */
@Injectable()
export class FlowrraLifecycle implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly modules: ModulesContainer,
    private readonly discovery: TaskDiscovery,
    private readonly listeners: TaskListeners,
    private readonly runtime: FlowrraRuntime,
  ) {}

  async onModuleInit(): Promise<void> {
    this.discovery.setEngine(await this.runtime.loadEngine());
    this.discovery.discover();
    this.listeners.discover();
    await this.runtime.connect();
    moduleOf(this.modules, LastModule).addProvider({
      provide: JobsLifecycle,
      useValue: new JobsLifecycle(this.runtime, this.options),
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.runtime.close(this.options.shutdownTimeout);
    this.runtime.events.complete();
  }
}

/**
 * A provider of {@link LastModule}: no job starts before the whole application has started, and running jobs end
 * while all providers that they use are still open.
 */
class JobsLifecycle implements OnApplicationBootstrap, OnModuleDestroy {
  private cancelCheck: (() => void) | null = null;

  constructor(
    private readonly runtime: FlowrraRuntime,
    private readonly options: ResolvedOptions,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.runtime.start();
    // A thread receives no signals, and a producer runs no jobs.
    if (parentLink() === null && this.options.role !== 'producer')
      this.cancelCheck = this.options.clock.after(HOOKS_CHECK_MS, warnWithoutShutdownHooks, {
        background: true,
      });
  }

  async onModuleDestroy(): Promise<void> {
    this.cancelCheck?.();
    await this.runtime.drain(this.options.shutdownTimeout);
  }
}

function warnWithoutShutdownHooks(): void {
  if (process.listenerCount('SIGTERM') > 0 || process.listenerCount('SIGINT') > 0) return;
  new Logger('Flowrra').warn(
    'The process has no listener for SIGTERM or SIGINT, so these signals interrupt running jobs. Call app.enableShutdownHooks() in main.ts.',
  );
}
