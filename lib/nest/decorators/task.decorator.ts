import { FlowrraConfigError } from '../../job/errors.js';
import { fileUrl } from '../options/file-url.js';
import type { TaskOptions } from '../../job/task-options.js';
import { announceTask } from '../../run/threads/parent-link.js';
import { declaringFile } from './declaring-file.js';
import { defineTask, describeMember } from './task-metadata.js';

/** A class that has the method `K`; a constructor is none, so a static method does not compile. */
type HostOf<T, K extends string> = T extends abstract new (...args: never) => unknown
  ? never
  : T extends Record<K, (...args: never[]) => unknown>
    ? T
    : never;

/**
 * Makes a public method of a provider or controller a background task.
 *
 * It changes nothing about calling the method directly; `FlowrraService.submit` runs it in the
 * background. Delivery is at least once, so the method must bear being run twice.
 *
 * @throws {FlowrraConfigError} while the class is defined, if it stands on anything else.
 */
export function Task(options: TaskOptions = {}) {
  return <T extends object, K extends string>(
    target: T & HostOf<T, K>,
    key: K,
    descriptor: PropertyDescriptor,
  ): void => {
    const prototype: object = target;
    if (typeof prototype === 'function') {
      throw new FlowrraConfigError(
        `@Task() on the static method ${(prototype as { name: string }).name}.${String(key)}: a task is an instance method, since it is called on the provider that Nest made.`,
      );
    }
    if (typeof key !== 'string' || typeof descriptor?.value !== 'function') {
      throw new FlowrraConfigError(
        `@Task() on ${describeMember(prototype, String(key))}: it belongs on a method with a plain name.`,
      );
    }
    const file = options.cpuBound ? fileOf(options) : null;
    // Until all its decorators have been applied, the class still has the method as it declares it.
    const method: unknown = Object.getOwnPropertyDescriptor(prototype, key)?.value;
    const methods = [method, descriptor.value].filter((each) => typeof each === 'function');
    defineTask(prototype, key, { options, file, methods });
    if (options.cpuBound) announceTask(prototype, file);
  };
}

function fileOf({ file }: TaskOptions): string | null {
  return file === undefined
    ? declaringFile()
    : fileUrl(file, '@Task() file', 'import.meta.url, or __filename in CommonJS');
}
