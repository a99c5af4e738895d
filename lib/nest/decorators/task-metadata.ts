import 'reflect-metadata';
import { FlowrraConfigError } from '../../job/errors.js';
import { TaskContext } from '../../run/task-context.js';
import type { TaskOptions } from '../../job/task-options.js';

/** A task's declaration: its `@Task()` and its `@TaskCtx()`. */
export interface TaskMetadata {
  readonly key: string;
  readonly options: TaskOptions;
  /** The index of the parameter with `@TaskCtx()`; `null` for none. */
  readonly contextIndex: number | null;
  /** The number of parameters, if the last may be a `TaskContext` without `@TaskCtx()`; otherwise 0. */
  readonly undecoratedParameters: number;
  /** CPU-bound only: the `file:` URL of the class's file; `null` if it is unknown. */
  readonly file: string | null;
  /** Its `@Cron()` or `@Interval()`; `null` for none. */
  readonly schedule: ScheduleDecoration | null;
}

/** The options of a `@Cron()` or `@Interval()`. They are checked when the application starts. */
export interface ScheduleDecoration {
  /** `undefined` for the name of the task. */
  readonly name: string | undefined;
  readonly disabled: boolean;
  readonly rule: object;
}

interface Declared extends Pick<TaskMetadata, 'options' | 'file'> {
  /** The method as the class declares it, and as `@Task()` received it: decorators below may have wrapped it. */
  readonly methods: readonly object[];
}

// Symbol.for, since the application and one of its dependencies may each load a copy of this package.
const TASKS = Symbol.for('flowrra:tasks');
const CONTEXT = Symbol.for('flowrra:context');
const SCHEDULES = Symbol.for('flowrra:schedules');

/** Stores a task's metadata on the prototype, not on the method, which other decorators may wrap. */
export function defineTask(prototype: object, key: string, declared: Declared): void {
  const tasks = new Map(ownTasks(prototype));
  if (tasks.has(key)) {
    throw new FlowrraConfigError(`${describeMember(prototype, key)} has two @Task() decorators. Keep one.`);
  }
  Reflect.defineMetadata(TASKS, tasks.set(key, declared), prototype);
}

/** Stores the schedule of a method, which is a task even without `@Task()`. */
export function defineSchedule(prototype: object, key: string, schedule: ScheduleDecoration): void {
  const schedules = new Map(ownSchedules(prototype));
  if (schedules.has(key))
    throw new FlowrraConfigError(
      `${describeMember(prototype, key)} has two schedules. Keep one, and set the other one at run time: flowrra.schedules.set().`,
    );
  Reflect.defineMetadata(SCHEDULES, schedules.set(key, schedule), prototype);
}

/** Stores the index of the parameter that takes the context. */
export function defineContextParameter(prototype: object, key: string, index: number): void {
  if (Reflect.getOwnMetadata(CONTEXT, prototype, key) !== undefined) {
    throw new FlowrraConfigError(
      `${describeMember(prototype, key)} has two @TaskCtx() parameters. Keep the last one.`,
    );
  }
  Reflect.defineMetadata(CONTEXT, index, prototype, key);
}

/**
 * The tasks of a class and of its ancestors. The decorator of a subclass takes precedence.
 *
 * @param prototype The prototype of the class. `null` has no tasks.
 * @throws {FlowrraConfigError} if a method's context parameter is not its last, or lacks `@TaskCtx()`.
 */
export function taskMetadataOf(prototype: object | null): Map<string, TaskMetadata> {
  const found = new Map<string, TaskMetadata>();
  for (
    let level = prototype;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const key of new Set([...ownTasks(level).keys(), ...ownSchedules(level).keys()])) {
      if (found.has(key)) continue;
      const { options, file } = declaredTask(prototype as object, key);
      const contextIndex = contextIndexOf(prototype as object, key);
      const undecoratedParameters =
        contextIndex === null ? undecoratedParametersOf(prototype as object, key) : 0;
      const schedule = scheduleOf(prototype as object, key);
      found.set(key, { key, options, file, contextIndex, undecoratedParameters, schedule });
    }
  }
  return found;
}

/** The name of a task without a `name`: the same on the main thread and in a worker thread. */
export function defaultNameOf(prototype: object, key: string): string {
  return `${prototype.constructor.name}.${key}`;
}

/** The prototype, of the class or of an ancestor, whose method has `@Task()` or a schedule; `null` if none has. */
export function taskHomeOf(prototype: object, key: string): object | null {
  return nearest(prototype, (level) => ownTasks(level).has(key) || ownSchedules(level).has(key));
}

/** The functions that decorators above `@Task()` may have wrapped. */
export function methodsBelow(home: object, key: string): readonly object[] {
  // Another version of this package may have stored the task without them.
  return ownTasks(home).get(key)?.methods ?? [];
}

function ownTasks(prototype: object): Map<string, Declared> {
  return (Reflect.getOwnMetadata(TASKS, prototype) as Map<string, Declared> | undefined) ?? new Map();
}

function ownSchedules(prototype: object): Map<string, ScheduleDecoration> {
  return (
    (Reflect.getOwnMetadata(SCHEDULES, prototype) as Map<string, ScheduleDecoration> | undefined) ?? new Map()
  );
}

/** The nearest `@Task()` of a method; a task without options for a method that has only a schedule. */
function declaredTask(prototype: object, key: string): Pick<TaskMetadata, 'options' | 'file'> {
  const home = nearest(prototype, (level) => ownTasks(level).has(key));
  return (home === null ? undefined : ownTasks(home).get(key)) ?? { options: {}, file: null };
}

function scheduleOf(prototype: object, key: string): ScheduleDecoration | null {
  const home = nearest(prototype, (level) => ownSchedules(level).has(key));
  return (home === null ? undefined : ownSchedules(home).get(key)) ?? null;
}

/** The prototype, or the nearest of its ancestors, that passes a test; `null` if none does. */
function nearest(prototype: object, test: (level: object) => boolean): object | null {
  for (let level: object | null = prototype; level !== null; level = Object.getPrototypeOf(level) as object)
    if (test(level)) return level;
  return null;
}

/** Names a member of a class in errors. */
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

/** For a type that is imported with `import type`, compilers store `Function` or `Object`. */
function undecoratedParametersOf(prototype: object, key: string): number {
  const types = Reflect.getMetadata('design:paramtypes', prototype, key) as unknown[] | undefined;
  if (types === undefined) return (Reflect.get(prototype, key) as { length: number }).length;
  const last = types.at(-1);
  return last === Object || last === Function ? types.length : 0;
}
