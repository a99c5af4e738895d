import { FlowrraConfigError } from '../../job/errors.js';
import { fileUrl } from '../../job/rules.js';
import type { TaskOptions } from '../../job/task-options.js';
import type { TaskArgs } from '../../run/task-types.js';
import { announceTask } from '../../run/threads/parent-link.js';
import { declaringFile } from './declaring-file.js';
import { defineContextParameter, defineTask, describeMember } from './task-metadata.js';

/**
 * A class with the method `K`, whose arguments the function in `tags` accepts. A constructor is not such a class, so a
 * static method does not compile.
 */
type HostOf<T, K extends string, A extends readonly unknown[]> = T extends abstract new (
  ...args: never
) => unknown
  ? never
  : T extends Record<K, (...args: infer M) => unknown>
    ? ((...args: A) => void) extends (...args: TaskArgs<M>) => void
      ? T
      : never
    : never;

const classFile = fileUrl('import.meta.url, or __filename in CommonJS');

/**
 * Makes a public method of a provider or controller a background task.
 *
 * Direct calls of the method stay as they are; `FlowrraService.submit` runs it in the background. Delivery is at
 * least once, so the method must be safe to run twice.
 *
 * @throws {FlowrraConfigError} when the class is defined, if the decorated member is not an instance method with a
 *   string name, or has two `@Task()`. Options are checked when the application starts.
 */
export function Task<A extends readonly unknown[] = unknown[]>(options: TaskOptions<A> = {}) {
  return <T extends object, K extends string>(
    target: T & HostOf<T, K, A>,
    key: K,
    descriptor: PropertyDescriptor,
  ): void => {
    const prototype: object = target;
    if (typeof prototype === 'function') {
      throw new FlowrraConfigError(
        `@Task() on the static method ${(prototype as { name: string }).name}.${String(key)}: a task must be an instance method, since it is called on the provider's instance.`,
      );
    }
    if (typeof key !== 'string' || typeof descriptor?.value !== 'function') {
      throw new FlowrraConfigError(
        `@Task() on ${describeMember(prototype, String(key))}: the decorated member must be a method whose name is a string.`,
      );
    }
    const file = options.cpuBound ? fileOf(options) : null;
    // While its decorators are applied, the class still has the method as declared.
    const method: unknown = Object.getOwnPropertyDescriptor(prototype, key)?.value;
    const methods = [method, descriptor.value].filter((each) => typeof each === 'function');
    defineTask(prototype, key, { options: options as TaskOptions, file, methods });
    if (options.cpuBound) announceTask(prototype, file);
  };
}

/**
 * Passes the job's {@link TaskContext} to the last parameter of a task. Submissions leave this argument out.
 *
 * @throws {FlowrraConfigError} when the class is defined, if the parameter is not of an instance method, or if the
 *   method has two.
 */
export function TaskCtx() {
  return (target: object, key: string | symbol | undefined, index: number): void => {
    if (typeof key !== 'string' || typeof target === 'function') {
      throw new FlowrraConfigError(
        '@TaskCtx() must decorate a parameter of an instance method that has @Task().',
      );
    }
    defineContextParameter(target, key, index);
  };
}

function fileOf({ file }: Pick<TaskOptions, 'file'>): string | null {
  return file === undefined ? declaringFile() : classFile(file, '@Task() file');
}
