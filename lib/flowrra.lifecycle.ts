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
import { FlowrraConfigError } from './core/errors.js';
import { TaskDiscovery } from './discovery/task-discovery.js';
import { TaskListeners } from './discovery/task-listeners.js';
import { FlowrraRuntime } from './flowrra.runtime.js';
import { threadLink } from './runner/thread/thread-link.js';
import { RESOLVED_OPTIONS } from './flowrra.tokens.js';
import type { ResolvedOptions } from './options/resolved-options.js';

/** How long after the start shutdown hooks must have been enabled. */
const HOOKS_CHECK_MS = 5_000;

/**
 * First in, last out. Nest runs a global module's hooks first when it starts and last when it
 * stops, which is right for connecting (others may submit in their `onModuleInit`) and for closing
 * (others may submit until their end), but wrong for running jobs: see {@link JobsLifecycle}.
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
    this.enterRootModule();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.runtime.close(this.options.shutdownTimeout);
    this.runtime.events.complete();
  }

  private enterRootModule(): void {
    const root = rootModule(this.modules);
    const lifecycle = new JobsLifecycle(this.runtime, this.options);
    root.addProvider({ provide: JobsLifecycle, useValue: lifecycle });
    // Within the root module, too, after everything else has started and before anything else stops.
    const wrapper = root.providers.get(JobsLifecycle) as { hierarchyLevel?: number } | undefined;
    if (wrapper && 'hierarchyLevel' in wrapper) wrapper.hierarchyLevel = Number.MAX_SAFE_INTEGER;
  }
}

/**
 * Last in, first out: a member of the root module, which Nest starts last and stops first. So no
 * job runs before the whole application has started, and jobs are drained while everything that
 * they use is still open.
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
    if (threadLink() === null && this.options.role !== 'producer')
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

type Module = NonNullable<ReturnType<ModulesContainer['get']>>;

/** Nest keeps its own core module first, and the application's root module second. */
function rootModule(modules: ModulesContainer): Module {
  const [, root] = modules.values();
  if (root !== undefined) return root;
  throw new FlowrraConfigError(
    'The root module of the application was not found. Flowrra needs Nest 11 or 12.',
  );
}
