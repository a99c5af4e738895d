import { FlowrraConfigError } from '../../job/errors.js';
import { defineContextParameter } from './task-metadata.js';

/**
 * Hands the job's {@link TaskContext} to the last parameter of a task. Whoever submits the task
 * leaves that argument out.
 */
export function TaskCtx() {
  return (target: object, key: string | symbol | undefined, index: number): void => {
    if (typeof key !== 'string' || typeof target === 'function') {
      throw new FlowrraConfigError(
        '@TaskCtx() belongs on a parameter of an instance method that has @Task().',
      );
    }
    defineContextParameter(target, key, index);
  };
}
