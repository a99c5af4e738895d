import type { Attempt } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import type { TaskDefinition } from './task-definition.js';

/**
 * Adds to the error of a task that may lack `@TaskCtx()`, and got `undefined` for its context, how to
 * mend that: of a type that is imported by `import type` the start cannot see that it is a context.
 */
export function withContextHint(outcome: Outcome, task: TaskDefinition, attempt: Attempt): Outcome {
  if (task.untoldParameters === 0 || (outcome.kind !== 'retry' && outcome.kind !== 'failed')) return outcome;
  const { error } = outcome;
  if (error.name !== 'TypeError' || !error.message.includes('undefined')) return outcome;
  const given = attempt.args().length;
  if (given >= task.untoldParameters) return outcome;
  const hint = `(${task.name} has ${task.untoldParameters} parameters and was given ${given} arguments. If the last parameter is the TaskContext, decorate it: \`@TaskCtx() ctx: TaskContext\`.)`;
  return { ...outcome, error: { ...error, message: `${error.message} ${hint}` } };
}
