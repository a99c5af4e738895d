import { HttpException, type PipeTransform, type Type } from '@nestjs/common';
import { TaskArgumentsError } from '../../job/errors.js';
import type { ProviderHost } from '../discovery/task-explorer.js';
import { isStandardSchema, type SchemaIssue, type StandardSchema } from '../../job/standard-schema.js';

/** What a task's options say of its arguments: one schema for all together, or one for each. */
export type ArgumentSchemas = StandardSchema | readonly (StandardSchema | null)[];

/** Checks and transforms the arguments of one task: by its schemas, then by pipes. */
export class TaskArguments {
  private readonly types: readonly unknown[];
  /** The class of what stands beyond the last parameter, which a rest parameter takes as well. */
  private readonly restType: unknown;

  constructor(
    private readonly taskName: string,
    { prototype }: Pick<ProviderHost, 'prototype'>,
    key: string,
    private readonly schemas: ArgumentSchemas | null,
  ) {
    this.types = (Reflect.getMetadata('design:paramtypes', prototype, key) as unknown[] | undefined) ?? [];
    const declared = (Reflect.get(prototype, key) as { length?: number } | undefined)?.length ?? 0;
    // A rest parameter is not part of a function's length, and its type is that of one element.
    this.restType = declared < this.types.length ? this.types.at(-1) : undefined;
  }

  /**
   * Puts what they become in the place of the arguments. Only arguments that were given are looked at.
   *
   * @throws {TaskArgumentsError} if a schema does not fit. What a pipe throws.
   */
  async apply(args: unknown[], pipes: readonly PipeTransform[]): Promise<void> {
    if (this.schemas !== null) await this.applySchemas(args, this.schemas);
    if (pipes.length === 0) return;
    for (const [index, value] of args.entries()) {
      // Of type 'body', since Nest's own pipes pass over what is 'custom'.
      const metatype = (index < this.types.length ? this.types[index] : this.restType) as Type;
      const metadata = { type: 'body', metatype, data: undefined } as const;
      let piped: unknown = value;
      for (const pipe of pipes) piped = await pipe.transform(piped, metadata);
      args[index] = piped;
    }
  }

  /** What a pipe has thrown, in words that tell what is wrong with the job; `null` if it is no verdict on the arguments. */
  refusal(error: unknown): TaskArgumentsError | null {
    if (error instanceof TaskArgumentsError) return error;
    if (!(error instanceof HttpException)) return null;
    return new TaskArgumentsError(`The arguments of '${this.taskName}' are not valid: ${textOf(error)}`, {
      cause: error,
    });
  }

  /** For whoever submits, and has waited long enough. */
  unjudged(): TaskArgumentsError {
    return new TaskArgumentsError(
      `The arguments of '${this.taskName}' have not been judged in time, so nothing was submitted: one of its pipes or schemas does not come to an end.`,
    );
  }

  private async applySchemas(args: unknown[], schemas: ArgumentSchemas): Promise<void> {
    // Not by a `length`, which one that is a function has as well: those of arktype are.
    if (isStandardSchema(schemas)) {
      const all = await this.validate(schemas, args, 'args');
      if (!Array.isArray(all)) return;
      // All at once, since it may be the very list that was judged.
      args.splice(0, Infinity, ...(all as unknown[]));
      return;
    }
    // One that was left out is judged as well: its schema says whether it may be.
    for (const [index, schema] of schemas.entries()) {
      if (schema === null) continue;
      const value = await this.validate(schema, args[index], `args[${index}]`);
      if (value !== undefined || index < args.length) args[index] = value;
    }
  }

  private async validate(schema: StandardSchema, value: unknown, path: string): Promise<unknown> {
    const result = await schema['~standard'].validate(value);
    if (result.issues === undefined) return result.value;
    const problems = result.issues.map((issue) => `${path}${pathOf(issue)}: ${issue.message}`).join('; ');
    // Most likely a schema of one argument, which was given the list of all.
    const hint =
      path === 'args' && result.issues.some(({ path: at }) => at === undefined || at.length === 0)
        ? ' A schema that is not in an array judges the list of all arguments: for one argument, give schema: [it].'
        : '';
    throw new TaskArgumentsError(`The arguments of '${this.taskName}' are not valid: ${problems}.${hint}`);
  }
}

function pathOf({ path = [] }: SchemaIssue): string {
  // A copy, since arktype's paths are arrays of a kind of their own, whose map() adds to them.
  return [...path]
    .map((step) => (typeof step === 'object' ? step.key : step))
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('');
}

/** ValidationPipe puts what is wrong into the response, and no more than "Bad Request Exception" into the message. */
function textOf(error: HttpException): string {
  const response = error.getResponse();
  const message: unknown =
    typeof response === 'string' ? response : (response as { message?: unknown }).message;
  return Array.isArray(message) ? message.join('; ') : typeof message === 'string' ? message : error.message;
}
