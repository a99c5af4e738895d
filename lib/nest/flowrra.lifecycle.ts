import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { TaskDiscovery } from './discovery/task-discovery.js';
import { TaskListeners } from './discovery/task-listeners.js';
import { LastModule, moduleOf } from './flowrra.module-order.js';
import { FlowrraRuntime } from './flowrra.runtime.js';
import { parentLink } from '../run/threads/parent-link.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from './options/resolved-options.js';

/** How long after the start shutdown hooks must have been enabled. */
const HOOKS_CHECK_MS = 5_000;

/**
 * First in, last out: the hooks of `FlowrraModule` come first when Nest starts and last when
 * it stops, which is right for connecting (others may submit in their `onModuleInit`) and for
 * closing (others may submit until their end), but wrong for running jobs: see {@link JobsLifecycle}.
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
    this.discovery.judgeNamesFor(await this.runtime.loadEngine());
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
 * Last in, first out: a member of {@link LastModule}. So no job runs before the whole application
 * has started, and jobs are drained while everything that they use is still open.
 */
class JobsLifecycle implements OnApplicationBootstrap, OnModuleDestroy {
  private cancelCheck: (() => void) | null = null;

  constructor(
    private readonly runtime: FlowrraRuntime,
    private readonly options: ResolvedOptions,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.runtime.start();
    // A thread gets no signals, and a producer runs nothing that could be cut off.
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
    'Nobody listens for SIGTERM or SIGINT, so running jobs are cut off when the process is asked to end. Call app.enableShutdownHooks() in main.ts.',
  );
}
