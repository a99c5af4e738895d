import { FlowrraConfigError } from '../../job/errors.js';
import type { CpuTarget } from '../../run/threads/protocol.js';
import { checkThreadFile, isEntry, NAME_A_MODULE, rejectEntry } from '../../run/threads/thread-files.js';
import { taskHomeOf, type TaskMetadata } from '../decorators/task-metadata.js';
import { INJECTED_PARAMETERS, INJECTED_PROPERTIES } from '../nest-internals.js';
import type { TaskHost } from './task-explorer.js';

/**
 * Where a thread finds the code of a class's task.
 *
 * @param hasModule Whether the threads have a Nest module. The module is searched first.
 * @throws {FlowrraConfigError} if no thread can run the task.
 */
export function classTarget(
  host: TaskHost,
  metadata: TaskMetadata,
  taskName: string,
  hasModule: boolean,
): CpuTarget {
  const subject = `CPU-bound task '${taskName}'`;
  const { key, contextIndex, options } = metadata;
  // The file of this class, even if an ancestor in another file declares the task.
  const file = fileOf(host, metadata);
  const type = host.prototype.constructor;
  const code = file === null ? null : { file, className: type.name, method: key };
  if (hasModule) {
    const withoutModule = code !== null && !needsInjection(type) && !isEntry(code.file);
    return { kind: 'module', taskName, otherwise: withoutModule ? code : null, contextIndex };
  }
  if (needsInjection(type))
    throw new FlowrraConfigError(
      `${subject}: ${type.name} has injected dependencies, which a thread can only provide through a Nest module. Give the threads a module that provides ${type.name} and its dependencies: ${NAME_A_MODULE}. See docs/bundlers.md if the application is bundled.`,
    );
  if (code === null) throw new FlowrraConfigError(`${subject}: ${withoutFile(host, metadata)}`);
  if (options.file === undefined) rejectEntry(code.file, subject);
  else checkThreadFile(code.file, `${subject} file`);
  return { kind: 'class', ...code, contextIndex };
}

/**
 * The file that defines the class; `null` if no decorator of the class has found it. A thread finds a class by
 * the CPU-bound tasks that the class itself declares, so not a class that only inherits them.
 */
function fileOf({ prototype, tasks }: TaskHost, metadata: TaskMetadata): string | null {
  const declares = (key: string): boolean => taskHomeOf(prototype, key) === prototype;
  if (declares(metadata.key)) return metadata.file;
  for (const [key, { file }] of tasks) if (file !== null && declares(key)) return file;
  return null;
}

function withoutFile({ prototype }: TaskHost, { key, file }: TaskMetadata): string {
  const { name } = prototype.constructor;
  if (file === null)
    return (
      'the file of its class is unknown, so a thread cannot load it. Name the file: @Task({ cpuBound: true, file: __filename }), or file: import.meta.url in ES modules. ' +
      `If the application is bundled, let the bundler build a second file for the threads, and name that file: ${NAME_A_MODULE}. See docs/bundlers.md.`
    );
  return `${name} inherits the task and declares no CPU-bound task itself, so a thread cannot find ${name} in any file. Override ${key} in ${name} with a @Task({ cpuBound: true }) of its own, or give the threads a module that provides ${name}: ${NAME_A_MODULE}.`;
}

function needsInjection(type: unknown): boolean {
  const constructor = type as { readonly length: number };
  const inherits = !Reflect.hasOwnMetadata(INJECTED_PARAMETERS, constructor);
  return (
    constructor.length > 0 ||
    // A subclass without a constructor has the length 0, and is injected like its parent.
    (inherits && isFilled(Reflect.getMetadata(INJECTED_PARAMETERS, constructor))) ||
    isFilled(Reflect.getMetadata(INJECTED_PROPERTIES, constructor))
  );
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}
