import { Logger } from '@nestjs/common';
import type { Engine } from '../../engine/engine.js';
import { FlowrraConfigError } from '../../job/errors.js';
import type { ResolvedTask } from '../../job/policy.js';
import { fileUrl } from '../../job/rules.js';
import { type RegisterOptions, resolveTaskOptions, type TaskDefaults } from '../../job/task-options.js';
import type { TaskDefinition } from '../../run/task-definition.js';
import type { TaskRegistry } from '../../run/task-registry.js';
import { parentLink } from '../../run/threads/parent-link.js';
import type { CpuTarget } from '../../run/threads/protocol.js';
import { checkThreadFile, rejectBundledPackage } from '../../run/threads/thread-files.js';
import { defaultNameOf, type TaskMetadata } from '../decorators/task-metadata.js';
import type { TaskEnhancements } from '../enhancers/task-enhancements.js';
import type { ResolvedOptions } from '../options/module-options.js';
import { classTarget } from './class-target.js';
import { declaredSchedule } from './declared-schedules.js';
import { rejectNewQueues } from './feature-queues.js';
import { functionsOf, originOf, type TaskExplorer, type TaskHost } from './task-explorer.js';
import { callerOf, TaskScopes } from './task-scopes.js';

/** A name of at most this length may be a minifier's. */
const MINIFIED_LENGTH = 2;

const functionFile = fileUrl(
  "new URL('./work.js', import.meta.url), or join(__dirname, 'work.js') in CommonJS",
);

/** Adds the tasks that the explorer finds, and those of `register()`, to the registry. */
export class TaskDiscovery {
  private readonly logger = new Logger('Flowrra');
  private readonly known = new Map<object, TaskHost>();
  private readonly defaults: TaskDefaults;
  private durable = false;

  constructor(
    private readonly explorer: TaskExplorer,
    private readonly registry: TaskRegistry,
    private readonly options: ResolvedOptions,
    private readonly enhancements: TaskEnhancements,
  ) {
    const knownQueues = new Set(options.queues.map((queue) => queue.name));
    this.defaults = { knownQueues, deadLetter: options.deadLetter, overrides: options.tasks };
  }

  /** To be called before {@link discover}: a durable engine requires names that outlive a build. */
  setEngine({ durable }: Pick<Engine, 'durable'>): void {
    this.durable = durable;
  }

  /**
   * Adds the tasks that were not found before.
   *
   * @throws {FlowrraConfigError} for the first invalid task.
   */
  discover(): void {
    const { module } = this.options.cpu;
    if (module !== null && this.usesThreads) {
      rejectBundledPackage('cpu.module');
      checkThreadFile(module, 'cpu.module');
    }
    rejectNewQueues(this.options.queues, this.explorer.features());
    for (const host of this.explorer.hosts()) {
      const other = this.known.get(host.prototype);
      if (other === undefined) this.add(host);
      else rejectAmbiguous(other, host);
    }
    this.addAliases();
  }

  /** @throws {FlowrraConfigError} if an option is invalid, or another task has the name. */
  register(options: RegisterOptions, fn: (...args: never[]) => unknown): void {
    if (typeof fn !== 'function') {
      throw new FlowrraConfigError(
        `register('${String(options?.name)}'): the second argument must be a function.`,
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
      if (metadata.schedule !== null)
        this.registry.addSchedule(declaredSchedule(metadata.schedule, definition, this.options.schedules));
    }
    this.known.set(prototype, host);
    this.registry.addClass(prototype.constructor, tasks);
    this.registry.addClass(wrapper.token, tasks);
  }

  private definition(host: TaskHost, key: string, metadata: TaskMetadata): TaskDefinition {
    const resolved = resolveTaskOptions(metadata.options, defaultNameOf(host.prototype, key), this.defaults);
    if (metadata.options.name === undefined) this.checkName(host, key);
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
   * A minifier may give a class another name at each build. In a durable engine, jobs with the old name wait
   * during the deployment of the new build, and no task has their name any more.
   */
  private checkName({ prototype }: TaskHost, key: string): void {
    const className = prototype.constructor.name;
    if (className.length > MINIFIED_LENGTH && key.length > MINIFIED_LENGTH) return;
    const problem = `The task '${className}.${key}' has a very short name, which a minifier may have generated and may change at the next build. Give the task a name: @Task({ name: '…' }).`;
    if (this.durable) throw new FlowrraConfigError(problem);
    this.logger.warn(problem);
  }

  private classTarget(host: TaskHost, metadata: TaskMetadata, { name }: ResolvedTask): CpuTarget {
    rejectBundledPackage(`CPU-bound task '${name}'`);
    return classTarget(host, metadata, name, this.options.cpu.module !== null);
  }

  private functionTarget(options: RegisterOptions): CpuTarget | null {
    if (!this.usesThreads) return null;
    const subject = `register('${options.name}')`;
    if (options.file === undefined) {
      throw new FlowrraConfigError(
        `${subject}: a function cannot be sent to a thread, so a CPU-bound task requires the file that exports it: { cpuBound: true, file: join(__dirname, 'work.js'), export: 'name' }, or file: new URL('./work.js', import.meta.url) in ES modules.`,
      );
    }
    const file = functionFile(options.file, `${subject} file`);
    rejectBundledPackage(subject);
    checkThreadFile(file, `${subject} file`);
    return { kind: 'function', file, export: options.export ?? 'default', contextIndex: null };
  }

  /** A producer runs no tasks, and a worker thread runs the tasks that it calls by itself. */
  private get usesThreads(): boolean {
    const { cpu, role } = this.options;
    return cpu.mode === 'thread' && role !== 'producer' && parentLink() === null;
  }

  private addAliases(): void {
    for (const { alias, token } of this.explorer.aliases()) {
      if (this.registry.hasClass(token)) this.registry.addClass(alias, this.registry.tasksOf(token));
    }
  }
}

/** A class may be in several modules, but not under two tokens: its tasks would have two instances. */
function rejectAmbiguous(first: TaskHost, second: TaskHost): void {
  if (first.wrapper.token === second.wrapper.token) return;
  throw new FlowrraConfigError(
    `${first.prototype.constructor.name} is provided under two tokens, in ${first.module.name} and ${second.module.name}, so its tasks have two instances. Use useExisting for one of the two providers, or a subclass for each.`,
  );
}
