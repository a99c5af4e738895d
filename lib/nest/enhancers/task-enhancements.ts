import type { PipeTransform } from '@nestjs/common';
import type { Clock } from '../../job/clock.js';
import type { TaskDefinition } from '../../run/task-definition.js';
import { within } from '../../job/async.js';
import type { ProviderHost } from '../discovery/task-explorer.js';
import type { TaskScopes } from '../discovery/task-scopes.js';
import type { NestEnhancers } from './nest-enhancers.js';
import { rejectSkipped } from './bound-enhancers.js';
import { type ArgumentSchemas, TaskArguments } from './task-arguments.js';
import { TaskPipeline } from './task-pipeline.js';

type Enhancements = Pick<TaskDefinition, 'pipeline' | 'validate'>;

/** How long a submission waits for pipes and schemas. */
const CHECK_TIMEOUT_MS = 30_000;

const NOTHING: Enhancements = Object.freeze({ pipeline: null, validate: null });

/** Creates the pipeline around a task's code, and the check of its arguments at submission. */
export class TaskEnhancements {
  constructor(
    private readonly nest: NestEnhancers,
    private readonly clock: Clock,
  ) {}

  /** @throws {FlowrraConfigError} if a bound enhancer would not run. */
  of(
    host: ProviderHost,
    key: string,
    taskName: string,
    schemas: ArgumentSchemas | null,
    scopes: TaskScopes,
  ): Enhancements {
    const method = Reflect.get(host.prototype, key) as (...args: unknown[]) => unknown;
    rejectSkipped(host, key, method);
    if (schemas === null && !this.nest.areBoundTo(host, method)) return NOTHING;
    const taskArguments = new TaskArguments(taskName, host, key, schemas);
    return {
      pipeline: new TaskPipeline(host, method, this.nest, scopes, taskArguments),
      validate: this.validator(taskArguments, schemas, this.nest.pipesBeforeJob(host, method)),
    };
  }

  /** A plain function can have schemas, but no other enhancers. */
  ofFunction(taskName: string, schemas: ArgumentSchemas | null): Enhancements {
    if (schemas === null) return NOTHING;
    const taskArguments = new TaskArguments(taskName, { prototype: {} }, '', schemas);
    return {
      pipeline: {
        run: async ({ args }, next) => {
          await taskArguments.apply(args, []);
          return next();
        },
      },
      validate: this.validator(taskArguments, schemas, []),
    };
  }

  private validator(
    taskArguments: TaskArguments,
    schemas: ArgumentSchemas | null,
    pipes: PipeTransform[],
  ): Enhancements['validate'] {
    if (schemas === null && pipes.length === 0) return null;
    return (args) =>
      within(CHECK_TIMEOUT_MS, this.clock, taskArguments.apply(args, pipes), () => taskArguments.unchecked());
  }
}
