import { HttpException, type PipeTransform, type Type } from '@nestjs/common';
import { TaskArgumentsError } from '../../job/errors.js';
import type { ProviderHost } from '../discovery/task-explorer.js';
import { isStandardSchema, type SchemaIssue, type StandardSchema } from '../../job/standard-schema.js';

/** The `schema` of a task: one for the list of all arguments, or one for each. */
export type ArgumentSchemas = StandardSchema | readonly (StandardSchema | null)[];

/** Checks and transforms the arguments of one task: first by its schemas, then by pipes. */
export class TaskArguments {
  private readonly types: readonly unknown[];
  /** The type of a rest parameter's elements; `undefined` for no rest parameter. */
  private readonly restType: unknown;

  constructor(
    private readonly taskName: string,
    { prototype }: Pick<ProviderHost, 'prototype'>,
    key: string,
    private readonly schemas: ArgumentSchemas | null,
  ) {
    this.types = (Reflect.getMetadata('design:paramtypes', prototype, key) as unknown[] | undefined) ?? [];
    const declared = (Reflect.get(prototype, key) as { length?: number } | undefined)?.length ?? 0;
    // A function's length does not include a rest parameter, whose type in the metadata is that of one element.
    this.restType = declared < this.types.length ? this.types.at(-1) : undefined;
  }

  /**
   * Replaces the arguments by the values that schemas and pipes return. Pipes get only arguments that were given.
   *
   * @throws {TaskArgumentsError} if a schema rejects them, and any error of a pipe.
   */
  async apply(args: unknown[], pipes: readonly PipeTransform[]): Promise<void> {
    if (this.schemas !== null) await this.applySchemas(args, this.schemas);
    if (pipes.length === 0) return;
    for (const [index, value] of args.entries()) {
      // Of type 'body': Nest's own pipes skip values of type 'custom'.
      const metatype = (index < this.types.length ? this.types[index] : this.restType) as Type;
      const metadata = { type: 'body', metatype, data: undefined } as const;
      let piped: unknown = value;
      for (const pipe of pipes) piped = await pipe.transform(piped, metadata);
      args[index] = piped;
    }
  }

  /** A pipe's error as an error of the arguments; `null` if it is another error. */
  rejection(error: unknown): TaskArgumentsError | null {
    if (error instanceof TaskArgumentsError) return error;
    if (!(error instanceof HttpException)) return null;
    return new TaskArgumentsError(`The arguments of '${this.taskName}' are not valid: ${textOf(error)}`, {
      cause: error,
    });
  }

  /** The error for a submission whose arguments have not been checked in time. */
  unchecked(): TaskArgumentsError {
    return new TaskArgumentsError(
      `The arguments of '${this.taskName}' have not been checked in time, so no job was submitted: one of its pipes or schemas does not end.`,
    );
  }

  private async applySchemas(args: unknown[], schemas: ArgumentSchemas): Promise<void> {
    // Not by `length`: a schema that is a function, such as arktype's, has one too.
    if (isStandardSchema(schemas)) {
      const all = await this.validate(schemas, args, 'args');
      if (!Array.isArray(all)) return;
      // In one call, since a schema may return the list that it was given.
      args.splice(0, Infinity, ...(all as unknown[]));
      return;
    }
    // An argument that was left out is checked as well: its schema decides whether it is optional.
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
    // An issue without a path: probably a schema of one argument, which was given the list of all.
    const hint =
      path === 'args' && result.issues.some(({ path: at }) => at === undefined || at.length === 0)
        ? ' A schema that is not in an array checks the list of all arguments. For one argument, write schema: [theSchema].'
        : '';
    throw new TaskArgumentsError(`The arguments of '${this.taskName}' are not valid: ${problems}.${hint}`);
  }
}

function pathOf({ path = [] }: SchemaIssue): string {
  // A copy, since arktype's paths are a subclass of Array, whose map() adds to the path.
  return [...path]
    .map((step) => (typeof step === 'object' ? step.key : step))
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('');
}

/** ValidationPipe puts the problems into the response; the message is only "Bad Request Exception". */
function textOf(error: HttpException): string {
  const response = error.getResponse();
  const message: unknown =
    typeof response === 'string' ? response : (response as { message?: unknown }).message;
  return Array.isArray(message) ? message.join('; ') : typeof message === 'string' ? message : error.message;
}
