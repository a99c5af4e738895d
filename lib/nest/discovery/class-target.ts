import { FlowrraConfigError } from '../../job/errors.js';
import { taskHomeOf, type TaskMetadata } from '../decorators/task-metadata.js';
import type { CpuTarget } from '../../run/threads/cpu-target.js';
import { checkThreadFile, isEntry, NAME_A_MODULE, refuseEntry } from '../../run/threads/thread-files.js';
import type { TaskHost } from './task-explorer.js';

/** By these keys Nest notes what it injects: into constructors, where the compiler tells, and into properties. */
const PARAMETERS = 'design:paramtypes';
const PROPERTIES = 'self:properties_metadata';

/**
 * Where a thread finds the code of a class's task.
 *
 * @param hasModule Whether the threads have a Nest module, which is asked first.
 * @throws {FlowrraConfigError} if no thread could run it.
 */
export function classTarget(
  host: TaskHost,
  metadata: TaskMetadata,
  taskName: string,
  hasModule: boolean,
): CpuTarget {
  const subject = `CPU-bound task '${taskName}'`;
  const { key, contextIndex, options } = metadata;
  // The file of the class itself, even if another one declares the task.
  const file = fileOf(host, metadata);
  const type = host.prototype.constructor;
  const code = file === null ? null : { file, className: type.name, method: key };
  if (hasModule) {
    const standsAlone = code !== null && !needsInjection(type) && !isEntry(code.file);
    return { kind: 'module', taskName, otherwise: standsAlone ? code : null, contextIndex };
  }
  if (needsInjection(type))
    throw new FlowrraConfigError(
      `${subject}: Nest injects into ${type.name}, which a thread cannot do by itself. Give the threads a module that provides ${type.name} and its dependencies: ${NAME_A_MODULE}. See docs/bundlers.md if the application is bundled.`,
    );
  if (code === null) throw new FlowrraConfigError(`${subject}: ${withoutFile(host, metadata)}`);
  if (options.file === undefined) refuseEntry(code.file, subject);
  else checkThreadFile(code.file, `${subject} file`);
  return { kind: 'class', ...code, contextIndex };
}

/**
 * The file that defines the class, as far as its decorators have told: a thread finds a class by the
 * CPU-bound tasks that it declares itself, so one that only inherits them is not found.
 */
function fileOf({ prototype, tasks }: TaskHost, metadata: TaskMetadata): string | null {
  const own = (key: string): boolean => taskHomeOf(prototype, key) === prototype;
  if (own(metadata.key)) return metadata.file;
  for (const [key, { file }] of tasks) if (file !== null && own(key)) return file;
  return null;
}

function withoutFile({ prototype }: TaskHost, { key, file }: TaskMetadata): string {
  const { name } = prototype.constructor;
  if (file === null)
    return (
      'the file of its class could not be told, so a thread cannot load it. Name it: @Task({ cpuBound: true, file: __filename }), or file: import.meta.url in ES modules. ' +
      `If the application is bundled, let the bundler build a second file for the threads, and name that: ${NAME_A_MODULE}. See docs/bundlers.md.`
    );
  return `${name} inherits it and declares no CPU-bound task itself, so a thread does not find ${name} in any file. Override ${key} in ${name} with a @Task({ cpuBound: true }) of its own, or give the threads a module that provides ${name}: ${NAME_A_MODULE}.`;
}

function needsInjection(type: unknown): boolean {
  const constructor = type as { readonly length: number };
  const inherits = !Reflect.hasOwnMetadata(PARAMETERS, constructor);
  return (
    constructor.length > 0 ||
    // A subclass without a constructor of its own has the length 0, and is injected like its parent.
    (inherits && isFilled(Reflect.getMetadata(PARAMETERS, constructor))) ||
    isFilled(Reflect.getMetadata(PROPERTIES, constructor))
  );
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}
