import 'reflect-metadata';
import { FlowrraConfigError } from '../../job/errors.js';
import { TaskContext } from '../../run/task-context.js';
import type { TaskOptions } from '../../job/task-options.js';

/** What `@Task()` notes about a method. */
export interface TaskMetadata {
  readonly key: string;
  readonly options: TaskOptions;
  /** Where `@TaskCtx()` stands among the parameters, or `null`. */
  readonly contextIndex: number | null;
  /** The number of parameters, if the last may be a context without `@TaskCtx()`; otherwise 0. */
  readonly undecoratedParameters: number;
  /** CPU-bound only: the `file:` URL of the class's file, or `null` where it could not be told. */
  readonly file: string | null;
}

interface Declared extends Pick<TaskMetadata, 'options' | 'file'> {
  /** The method as the class declares it, and as `@Task()` was given it: decorators below may have wrapped it. */
  readonly methods: readonly object[];
}

// Symbol.for: an application and one of its dependencies may each have loaded a copy of this package.
const TASKS = Symbol.for('flowrra:tasks');
const CONTEXT = Symbol.for('flowrra:context');

/** Notes a task on (prototype, key), which holds however other decorators wrap the method. */
export function defineTask(prototype: object, key: string, declared: Declared): void {
  const tasks = (Reflect.getOwnMetadata(TASKS, prototype) as Map<string, Declared> | undefined) ?? new Map();
  if (tasks.has(key)) {
    throw new FlowrraConfigError(`${describeMember(prototype, key)} has two @Task() decorators. Keep one.`);
  }
  Reflect.defineMetadata(TASKS, tasks.set(key, declared), prototype);
}

/** Notes which parameter of a method takes the context. */
export function defineContextParameter(prototype: object, key: string, index: number): void {
  if (Reflect.getOwnMetadata(CONTEXT, prototype, key) !== undefined) {
    throw new FlowrraConfigError(
      `${describeMember(prototype, key)} has two @TaskCtx() parameters. Keep the last.`,
    );
  }
  Reflect.defineMetadata(CONTEXT, index, prototype, key);
}

/**
 * The tasks of a class, its ancestors' included; a subclass's own decorator wins.
 *
 * @param prototype The class's prototype; `null` has none.
 * @throws {FlowrraConfigError} if a method's context parameter is not its last, or lacks `@TaskCtx()`.
 */
export function taskMetadataOf(prototype: object | null): Map<string, TaskMetadata> {
  const found = new Map<string, TaskMetadata>();
  for (
    let level = prototype;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    const declared = Reflect.getOwnMetadata(TASKS, level) as Map<string, Declared> | undefined;
    for (const [key, { options, file }] of declared ?? []) {
      if (found.has(key)) continue;
      const contextIndex = contextIndexOf(prototype as object, key);
      const undecoratedParameters = contextIndex === null ? undecoratedParametersOf(prototype as object, key) : 0;
      found.set(key, { key, options, file, contextIndex, undecoratedParameters });
    }
  }
  return found;
}

/** What a task is called that was given no name: the same on the main thread and in a thread that looks for it. */
export function defaultNameOf(prototype: object, key: string): string {
  return `${prototype.constructor.name}.${key}`;
}

/** The prototype, of a class or of one of its ancestors, that declares a method a task. */
export function taskHomeOf(prototype: object, key: string): object | null {
  for (let level = prototype; level !== null; level = Object.getPrototypeOf(level) as object) {
    const declared = Reflect.getOwnMetadata(TASKS, level) as Map<string, Declared> | undefined;
    if (declared?.has(key)) return level;
  }
  return null;
}

/** The functions that decorators above a task's own may have wrapped, as far as `@Task()` could see them. */
export function methodsBelow(home: object, key: string): readonly object[] {
  const declared = Reflect.getOwnMetadata(TASKS, home) as Map<string, Declared> | undefined;
  // Another copy of this package may have noted the task.
  return declared?.get(key)?.methods ?? [];
}

export function describeMember(prototype: object, key: string): string {
  return `${(prototype.constructor as { name?: string } | undefined)?.name || '(anonymous class)'}.${key}`;
}

function contextIndexOf(prototype: object, key: string): number | null {
  const index = (Reflect.getMetadata(CONTEXT, prototype, key) as number | undefined) ?? null;
  const types = Reflect.getMetadata('design:paramtypes', prototype, key) as unknown[] | undefined;
  if (types === undefined) return index;
  if (index !== null && index !== types.length - 1) {
    throw new FlowrraConfigError(
      `${describeMember(prototype, key)}: the @TaskCtx() parameter must be the last one.`,
    );
  }
  if (index === null && types.includes(TaskContext)) {
    throw new FlowrraConfigError(
      `${describeMember(prototype, key)}: parameter ${types.indexOf(TaskContext) + 1} is a TaskContext without its decorator. Write \`@TaskCtx() ctx: TaskContext\`.`,
    );
  }
  return index;
}

/** Of a type that is imported by `import type` compilers note `Function` or, as of every interface, `Object`. */
function undecoratedParametersOf(prototype: object, key: string): number {
  const types = Reflect.getMetadata('design:paramtypes', prototype, key) as unknown[] | undefined;
  if (types === undefined) return (Reflect.get(prototype, key) as { length: number }).length;
  const last = types.at(-1);
  return last === Object || last === Function ? types.length : 0;
}
