import type { INestApplicationContext, Type } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { RuntimeException } from '@nestjs/core/errors/exceptions/runtime.exception.js';
import { codeOf } from '../../job/attempt-error.js';
import { FlowrraConfigError } from '../../job/errors.js';
import { defaultNameOf } from '../decorators/task-metadata.js';
import { callerOf } from '../discovery/task-caller.js';
import { TaskScopes } from '../discovery/task-scopes.js';
import { TaskExplorer } from '../discovery/task-explorer.js';
import type { TaskCall } from '../../run/task-definition.js';
import type { ClassCode, CpuTarget } from '../../run/threads/cpu-target.js';
import { importFailure } from '../../run/threads/thread-files.js';

type Invoke = (args: unknown[], call: TaskCall) => unknown;
type Method = (...args: unknown[]) => unknown;

/** How to call a task's code, and where it wants its context. */
export interface FoundCode {
  readonly invoke: Invoke;
  readonly contextIndex: number | null;
}

/** Finds, inside a thread, the code that a target names, and keeps what it has found. */
export class ThreadCode {
  private readonly found = new Map<string, FoundCode>();
  private readonly classes = new Map<string, Type<Record<string, Method>>>();
  private readonly instances = new Map<string, Record<string, Method>>();
  private application: Promise<INestApplicationContext> | null = null;
  private tasks: Map<string, Invoke> | null = null;

  /** @param module The `file:` URL of a Nest module, or `null` for none. */
  constructor(private readonly module: string | null) {}

  /** Hears of a class with a CPU-bound task while its file is imported. */
  announce(prototype: object, file: string | null): void {
    const type = prototype.constructor as Type<Record<string, Method>>;
    this.classes.set(`${file}#${type.name}`, type);
  }

  /** What has been found already. */
  known(target: string): FoundCode | undefined {
    return this.found.get(target);
  }

  /** @param target A {@link CpuTarget} as JSON: one string costs less on the way than an object. */
  async find(target: string): Promise<FoundCode> {
    const parsed = JSON.parse(target) as CpuTarget;
    const found = { invoke: await this.load(parsed), contextIndex: parsed.contextIndex };
    this.found.set(target, found);
    return found;
  }

  async close(): Promise<void> {
    const application = await this.application?.catch(() => null);
    await application?.close();
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
    // A CommonJS module's exports may all stand below `default`.
    const value = ownValue(module, name) ?? ownValue(module['default'], name);
    if (typeof value === 'function') return (args) => (value as Method)(...args);
    throw new FlowrraConfigError(
      `${file} exports no function '${name}', which a CPU-bound task was registered with.`,
    );
  }

  private async method({ file, className, method }: ClassCode): Promise<Invoke> {
    await imported(file);
    const key = `${file}#${className}`;
    const type = this.classes.get(key);
    if (type === undefined)
      throw new FlowrraConfigError(
        `${file} defines no class ${className} with a CPU-bound task, though it did on the main thread.`,
      );
    const instance = this.instances.get(key) ?? new type();
    this.instances.set(key, instance);
    return (args) => (instance[method] as Method)(...args);
  }

  private async discovered(taskName: string, otherwise: ClassCode | null): Promise<Invoke> {
    const application = await this.startedApplication();
    this.tasks ??= tasksOf(application);
    const invoke = this.tasks.get(taskName);
    if (invoke) return invoke;
    if (otherwise !== null) return this.method(otherwise);
    throw new FlowrraConfigError(
      `The module of the threads (${this.module}) provides no task '${taskName}'. Add its class to the providers there.`,
    );
  }

  /** Made once. One that could not start is made anew for the next call, unless it never can start. */
  private async startedApplication(): Promise<INestApplicationContext> {
    const application = (this.application ??= this.createApplication());
    try {
      return await application;
    } catch (error) {
      if (codeOf(error) !== 'FLOWRRA_CONFIG') this.application = null;
      throw error;
    }
  }

  private async createApplication(): Promise<INestApplicationContext> {
    const { default: exported } = await imported(this.module as string);
    // Imported from CommonJS, the default export is one level further down.
    const type = isRecord(exported) ? exported['default'] : exported;
    if (typeof type !== 'function')
      throw new FlowrraConfigError(
        `${this.module} has no Nest module as its default export, which cpu.module asks for.`,
      );
    try {
      return await NestFactory.createApplicationContext(type as Type, {
        logger: ['error', 'warn'],
        abortOnError: false,
      });
    } catch (error) {
      // Nest's own exceptions tell of modules that cannot be put together; others, of a server that is away, say.
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

function tasksOf(application: INestApplicationContext): Map<string, Invoke> {
  const tasks = new Map<string, Invoke>();
  for (const host of new TaskExplorer(application.get(ModulesContainer)).hosts()) {
    for (const [key, { options }] of host.tasks) {
      const name = options.name ?? defaultNameOf(host.prototype, key);
      tasks.set(name, callerOf(new TaskScopes(host), key));
    }
  }
  return tasks;
}

/** `undefined` for what is only inherited, such as the `toString` of every object. */
function ownValue(exports: unknown, name: string): unknown {
  if ((typeof exports !== 'object' && typeof exports !== 'function') || exports === null) return undefined;
  return Object.hasOwn(exports, name) ? (exports as Record<string, unknown>)[name] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
