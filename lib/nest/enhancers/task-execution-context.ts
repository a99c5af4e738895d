import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { FlowrraConfigError } from '../../job/errors.js';
import type { TaskContext } from '../../run/task-context.js';

/** What `context.getType()` answers inside the guards, interceptors and filters of a task. */
export const TASK_CONTEXT_TYPE = 'flowrra';

/** On the arguments themselves, which is all that Nest hands through. */
const TASK = Symbol('flowrra:task');

/** An attempt as guards, interceptors and filters see it: `TaskExecutionContext.create(context).getTask()`. */
export class TaskExecutionContext {
  private constructor(private readonly host: ArgumentsHost) {}

  /** @throws {FlowrraConfigError} if the context is no task's: ask `context.getType()` before. */
  static create(context: ExecutionContext | ArgumentsHost): TaskExecutionContext {
    if (context.getType<string>() === TASK_CONTEXT_TYPE) return new TaskExecutionContext(context);
    throw new FlowrraConfigError(
      `This context is of type '${context.getType<string>()}', and no task's. Ask context.getType() === '${TASK_CONTEXT_TYPE}' before.`,
    );
  }

  /** The job: its id, name, attempt, metadata and signal. */
  getTask(): TaskContext {
    return (this.host.getArgs() as { [TASK]?: TaskContext })[TASK] as TaskContext;
  }

  /** The task's arguments, as they came; pipes have not seen them yet. */
  getArgs<T extends unknown[] = unknown[]>(): T {
    return this.host.getArgs();
  }
}

/** Lets {@link TaskExecutionContext} find the job behind these arguments. */
export function attachTask(args: unknown[], task: TaskContext): void {
  Object.defineProperty(args, TASK, { value: task });
}
