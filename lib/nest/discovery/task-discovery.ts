import { Logger } from '@nestjs/common';
import { FlowrraConfigError } from '../../job/errors.js';
import type { TaskDefinition } from '../../run/task-definition.js';
import type { TaskRegistry } from '../../run/task-registry.js';
import type { Engine } from '../../engine/engine.js';
import { defaultNameOf, type TaskMetadata } from '../decorators/task-metadata.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { ResolvedTask } from '../../job/policy.js';
import { resolveTaskOptions, type TaskDefaults } from '../options/resolve-task-options.js';
import type { RegisterOptions } from '../../job/task-options.js';
import type { CpuTarget } from '../../run/threads/cpu-target.js';
import { checkThreadFile, refuseBundledPackage } from '../../run/threads/thread-files.js';
import { fileUrl } from '../options/file-url.js';
import { threadLink } from '../../run/threads/parent-link.js';
import type { TaskEnhancements } from '../enhancers/task-enhancements.js';
import { classTarget } from './class-target.js';
import { refuseNewQueues } from './feature-queues.js';
import { callerOf } from './task-caller.js';
import { TaskScopes } from './task-scopes.js';
import { originOf, servesAll, type TaskExplorer, type TaskHost } from './task-explorer.js';

/** Names of no more letters than this look like a minifier's. */
const MINIFIED = 2;

/** Turns what the explorer finds, and what is registered by hand, into the registry's tasks. */
export class TaskDiscovery {
  private readonly logger = new Logger('Flowrra');
  private readonly known = new Map<object, TaskHost>();
  private readonly defaults: TaskDefaults;
  private namesOutliveBuilds = false;

  constructor(
    private readonly explorer: TaskExplorer,
    private readonly registry: TaskRegistry,
    private readonly options: ResolvedOptions,
    private readonly enhancements: TaskEnhancements,
  ) {
    const knownQueues = new Set(options.queues.map((queue) => queue.name));
    this.defaults = { knownQueues, deadLetter: options.deadLetter, overrides: options.tasks };
  }

  /** Names are judged by how long jobs carry them. */
  judgeNamesFor({ durable }: Pick<Engine, 'durable'>): void {
    this.namesOutliveBuilds = durable;
  }

  /** Finds tasks that have come since the last time; throws at the first that cannot be one. */
  discover(): void {
    const { module } = this.options.cpu;
    if (module !== null && this.usesThreads) {
      refuseBundledPackage('cpu.module');
      checkThreadFile(module, 'cpu.module');
    }
    refuseNewQueues(this.options.queues, this.explorer.features());
    for (const host of this.explorer.hosts()) {
      const twin = this.known.get(host.prototype);
      if (twin === undefined) this.add(host);
      else refuseAmbiguous(twin, host);
    }
    this.addAliases();
  }

  /** @throws {FlowrraConfigError} if an option is wrong or the name is taken. */
  register(options: RegisterOptions, fn: (...args: never[]) => unknown): void {
    if (typeof fn !== 'function') {
      throw new FlowrraConfigError(
        `register('${String(options?.name)}'): the second argument is no function.`,
      );
    }
    const resolved = resolveTaskOptions(options, fn.name, this.defaults);
    const definition: TaskDefinition = {
      ...resolved,
      contextIndex: null,
      undecoratedParameters: 0,
      invoke: (args) => (fn as (...args: unknown[]) => unknown)(...args),
      ...this.enhancements.ofFunction(resolved.name, options.schema ?? null),
      target: resolved.cpuBound ? this.functionTarget(options) : null,
    };
    this.registry.add({ definition, origin: `register('${resolved.name}')`, functions: [fn] });
  }

  private add(host: TaskHost): void {
    const { prototype, wrapper } = host;
    const tasks = new Map<string, TaskDefinition>();
    for (const [key, metadata] of host.tasks) {
      const definition = this.definition(host, key, metadata);
      this.registry.add({ definition, origin: originOf(host, key), functions: functionsOf(host, key) });
      tasks.set(key, definition);
    }
    this.known.set(prototype, host);
    this.registry.addClass(prototype.constructor, tasks);
    this.registry.addClass(wrapper.token, tasks);
  }

  private definition(host: TaskHost, key: string, metadata: TaskMetadata): TaskDefinition {
    const resolved = resolveTaskOptions(metadata.options, defaultNameOf(host.prototype, key), this.defaults);
    if (metadata.options.name === undefined) this.judgeName(host, key);
    const scopes = new TaskScopes(host);
    return {
      ...resolved,
      contextIndex: metadata.contextIndex,
      undecoratedParameters: metadata.undecoratedParameters,
      invoke: callerOf(scopes, key),
      ...this.enhancements.of(host, key, resolved.name, metadata.options.schema ?? null, scopes),
      target: resolved.cpuBound && this.usesThreads ? this.classTarget(host, metadata, resolved) : null,
    };
  }

  /**
   * A minifier gives classes other names at each build, and a job that waits carries the old one.
   * Where jobs outlive a build, that loses them.
   */
  private judgeName({ prototype }: TaskHost, key: string): void {
    const className = prototype.constructor.name;
    if (className.length > MINIFIED && key.length > MINIFIED) return;
    const problem = `The task '${className}.${key}' is called after a very short name, which a minifier may have made and may change. Give it a name: @Task({ name: '…' }).`;
    if (this.namesOutliveBuilds) throw new FlowrraConfigError(problem);
    this.logger.warn(problem);
  }

  private classTarget(host: TaskHost, metadata: TaskMetadata, { name }: ResolvedTask): CpuTarget {
    refuseBundledPackage(`CPU-bound task '${name}'`);
    return classTarget(host, metadata, name, this.options.cpu.module !== null);
  }

  private functionTarget(options: RegisterOptions): CpuTarget | null {
    if (!this.usesThreads) return null;
    const subject = `register('${options.name}')`;
    if (options.file === undefined) {
      throw new FlowrraConfigError(
        `${subject}: a function cannot cross into a thread, so a CPU-bound one needs the file that exports it: { cpuBound: true, file: join(__dirname, 'work.js'), export: 'name' }, or file: new URL('./work.js', import.meta.url) in ES modules.`,
      );
    }
    const file = fileUrl(
      options.file,
      `${subject} file`,
      "new URL('./work.js', import.meta.url), or join(__dirname, 'work.js') in CommonJS",
    );
    refuseBundledPackage(subject);
    checkThreadFile(file, `${subject} file`);
    return { kind: 'function', file, export: options.export ?? 'default', contextIndex: null };
  }

  /** A producer runs nothing. Inside a thread of ours there are no further threads: what is called there runs there. */
  private get usesThreads(): boolean {
    const { cpu, role } = this.options;
    return cpu.mode === 'thread' && role !== 'producer' && threadLink() === null;
  }

  private addAliases(): void {
    for (const { alias, token } of this.explorer.aliases()) {
      if (this.registry.hasClass(token)) this.registry.addClass(alias, this.registry.tasksOf(token));
    }
  }
}

/** The functions by which a caller may mean the task: a wrapper on the instance hides the prototype's. */
function functionsOf({ prototype, wrapper }: TaskHost, key: string): unknown[] {
  const functions: unknown[] = [Reflect.get(prototype, key)];
  if (servesAll(wrapper)) functions.push(Reflect.get(wrapper.instance as object, key));
  return functions;
}

/** One class in several modules is one task; two instances that differ are not. */
function refuseAmbiguous(first: TaskHost, second: TaskHost): void {
  if (first.wrapper.token === second.wrapper.token) return;
  throw new FlowrraConfigError(
    `${first.prototype.constructor.name} is provided under two tokens, in ${first.module.name} and ${second.module.name}, so its tasks have two instances to run on. Keep one and let the other be useExisting, or give each a subclass.`,
  );
}
