import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { FlowrraConfigError } from '../../job/errors.js';
import type { TaskContext } from '../../run/task-context.js';

/** The type of the execution context in a task's guards, interceptors and filters. */
export const TASK_CONTEXT_TYPE = 'flowrra';

/** A property of the arguments array, which is all that Nest passes on to enhancers. */
const TASK = Symbol('flowrra:task');

/** The execution context of an attempt, for guards, interceptors and filters: `TaskExecutionContext.create(context).getTask()`. */
export class TaskExecutionContext {
  private constructor(private readonly host: ArgumentsHost) {}

  /** @throws {FlowrraConfigError} if the context is not of a task: check `context.getType()` before. */
  static create(context: ExecutionContext | ArgumentsHost): TaskExecutionContext {
    if (context.getType<string>() === TASK_CONTEXT_TYPE) return new TaskExecutionContext(context);
    throw new FlowrraConfigError(
      `This context is of type '${context.getType<string>()}', not of a task. Check context.getType() === '${TASK_CONTEXT_TYPE}' before.`,
    );
  }

  /** The job: its id, name, attempt, metadata and signal. */
  getTask(): TaskContext {
    return (this.host.getArgs() as { [TASK]?: TaskContext })[TASK] as TaskContext;
  }

  /** The task's arguments as submitted, before pipes. */
  getArgs<T extends unknown[] = unknown[]>(): T {
    return this.host.getArgs();
  }
}

/** Attaches the job to its arguments, for {@link TaskExecutionContext}. */
export function attachTask(args: unknown[], task: TaskContext): void {
  Object.defineProperty(args, TASK, { value: task });
}
