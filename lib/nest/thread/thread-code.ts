import type { INestApplicationContext, Type } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { codeOf } from '../../job/attempt-error.js';
import { FlowrraConfigError, TaskNotFoundError } from '../../job/errors.js';
import { defaultNameOf, taskMetadataOf } from '../decorators/task-metadata.js';
import { functionsOf, TaskExplorer } from '../discovery/task-explorer.js';
import { callerOf, TaskScopes } from '../discovery/task-scopes.js';
import { RuntimeException } from '../nest-internals.js';
import { FlowrraRuntime } from '../flowrra.runtime.js';
import type { OnceSource } from '../../run/once-source.js';
import type { TaskCall } from '../../run/task-definition.js';
import type { ClassCode, CpuTarget } from '../../run/threads/protocol.js';
import { importFailure } from '../../run/threads/thread-files.js';

type Invoke = (args: unknown[], call: TaskCall) => unknown;
type Method = (...args: unknown[]) => unknown;

/** A task's code in the thread, and the index of its context parameter. */
export interface FoundCode {
  readonly invoke: Invoke;
  readonly contextIndex: number | null;
}

/** The tasks of the thread's application. */
interface ThreadTasks {
  readonly byName: Map<string, Invoke>;
  /** The names of a function's tasks. */
  readonly names: Map<unknown, Set<string>>;
}

/** Finds the code of targets in a thread, and caches it. */
export class ThreadCode {
  private readonly found = new Map<string, FoundCode>();
  private readonly classes = new Map<string, Type<Record<string, Method>>>();
  private readonly instances = new Map<string, Record<string, Method>>();
  private application: Promise<INestApplicationContext> | null = null;
  private tasks: ThreadTasks | null = null;
  private started: INestApplicationContext | null = null;

  /** @param module The `file:` URL of the threads' Nest module; `null` for none. */
  constructor(private readonly module: string | null) {}

  /** Adds a class with a CPU-bound task, while its file is imported. */
  addClass(prototype: object, file: string | null): void {
    const type = prototype.constructor as Type<Record<string, Method>>;
    this.classes.set(`${file}#${type.name}`, type);
  }

  /** The code if it has been found before. */
  cached(target: string): FoundCode | undefined {
    return this.found.get(target);
  }

  /** @param target A {@link CpuTarget} as JSON. */
  async find(target: string): Promise<FoundCode> {
    const parsed = JSON.parse(target) as CpuTarget;
    const found = { invoke: await this.load(parsed), contextIndex: parsed.contextIndex };
    this.found.set(target, found);
    return found;
  }

  /**
   * The name of a task that code here calls. The parent, which knows all tasks, checks it.
   *
   * @throws {TaskNotFoundError} for a function that is no task of the thread, or several ones.
   */
  taskName(task: unknown): string {
    if (typeof task === 'string') return task;
    const names = [...(this.tasks?.names.get(task) ?? this.declaredNames(task))];
    if (names.length === 1) return names[0] as string;
    const shown = typeof task === 'function' ? `The function ${task.name}` : String(task);
    throw new TaskNotFoundError(
      names.length > 1
        ? `${shown} is shared by the tasks ${names.join(' and ')}, so the task is ambiguous. Give the name of the task.`
        : `${shown} is no task in the thread. Give the name of the task, or add its class to the module of the threads: forRoot({ cpu: { module } }).`,
    );
  }

  /** @throws {FlowrraConfigError} unless the thread's application has an outbox. */
  once(): OnceSource {
    const runtime = this.started?.get(FlowrraRuntime, { strict: false });
    if (runtime) return runtime.parts.outbox.require('ctx.once()');
    throw new FlowrraConfigError(
      'ctx.once() in a thread needs a module of the threads with an outbox: forRoot({ cpu: { module }, outbox }).',
    );
  }

  async close(): Promise<void> {
    const application = await this.application?.catch(() => null);
    await application?.close();
  }

  /** Of the classes with CPU-bound tasks whose files the thread has imported. */
  private declaredNames(task: unknown): Set<string> {
    const names = new Set<string>();
    for (const { prototype } of this.classes.values())
      for (const [key, { options }] of taskMetadataOf(prototype))
        if (Reflect.get(prototype, key) === task) names.add(options.name ?? defaultNameOf(prototype, key));
    return names;
  }

  private async load(target: CpuTarget): Promise<Invoke> {
    switch (target.kind) {
      case 'function':
        return this.exported(target.file, target.export);
      case 'class':
        return this.method(target);
      case 'module':
        return this.discovered(target.taskName, target.otherwise);
    }
  }

  private async exported(file: string, name: string): Promise<Invoke> {
    const module = await imported(file);
    // The exports of a CommonJS module may all be properties of `default`.
    const value = ownValue(module, name) ?? ownValue(module['default'], name);
    if (typeof value === 'function') return (args) => (value as Method)(...args);
    throw new FlowrraConfigError(
      `${file} exports no function '${name}', but a CPU-bound task was registered with this name.`,
    );
  }

  private async method({ file, className, method }: ClassCode): Promise<Invoke> {
    await imported(file);
    const key = `${file}#${className}`;
    const type = this.classes.get(key);
    if (type === undefined)
      throw new FlowrraConfigError(
        `In the thread, ${file} defines no class ${className} with a CPU-bound task, unlike on the main thread.`,
      );
    const instance = this.instances.get(key) ?? new type();
    this.instances.set(key, instance);
    return (args) => (instance[method] as Method)(...args);
  }

  private async discovered(taskName: string, otherwise: ClassCode | null): Promise<Invoke> {
    const application = await this.startedApplication();
    this.tasks ??= tasksOf(application);
    const invoke = this.tasks.byName.get(taskName);
    if (invoke) return invoke;
    if (otherwise !== null) return this.method(otherwise);
    throw new FlowrraConfigError(
      `The module of the threads (${this.module}) provides no task '${taskName}'. Add its class to the providers there.`,
    );
  }

  /** Created once. After a failed start it is created again for the next call, unless its configuration is wrong. */
  private async startedApplication(): Promise<INestApplicationContext> {
    const application = (this.application ??= this.createApplication());
    try {
      return (this.started = await application);
    } catch (error) {
      if (codeOf(error) !== 'FLOWRRA_CONFIG') this.application = null;
      throw error;
    }
  }

  private async createApplication(): Promise<INestApplicationContext> {
    const { default: exported } = await imported(this.module as string);
    // The default export of a CommonJS module is a property of `default`.
    const type = isRecord(exported) ? exported['default'] : exported;
    if (typeof type !== 'function')
      throw new FlowrraConfigError(
        `The default export of ${this.module} must be a Nest module, since cpu.module names this file.`,
      );
    try {
      return await NestFactory.createApplicationContext(type as Type, {
        logger: ['error', 'warn'],
        abortOnError: false,
      });
    } catch (error) {
      // Nest's own exceptions mean a wrong configuration; others may be transient, such as an unreachable server.
      if (!(error instanceof RuntimeException)) throw error;
      throw new FlowrraConfigError(
        `The module of the threads (${this.module}) cannot start: ${error.message}`,
        {
          cause: error,
        },
      );
    }
  }
}

async function imported(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(file)) as Record<string, unknown>;
  } catch (error) {
    throw importFailure(file, error);
  }
}

function tasksOf(application: INestApplicationContext): ThreadTasks {
  const tasks: ThreadTasks = { byName: new Map(), names: new Map() };
  for (const host of new TaskExplorer(application.get(ModulesContainer)).hosts()) {
    for (const [key, { options }] of host.tasks) {
      const name = options.name ?? defaultNameOf(host.prototype, key);
      tasks.byName.set(name, callerOf(new TaskScopes(host), key));
      for (const fn of functionsOf(host, key)) {
        const names = tasks.names.get(fn);
        if (names === undefined) tasks.names.set(fn, new Set([name]));
        else names.add(name);
      }
    }
  }
  return tasks;
}

/** `undefined` for an inherited property, such as `toString`. */
function ownValue(exports: unknown, name: string): unknown {
  if ((typeof exports !== 'object' && typeof exports !== 'function') || exports === null) return undefined;
  return Object.hasOwn(exports, name) ? (exports as Record<string, unknown>)[name] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
