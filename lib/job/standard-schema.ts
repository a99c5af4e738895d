import { wrong } from './check.js';
/**
 * The part of a Standard Schema that Flowrra uses. Validators of zod, valibot, arktype and others implement it.
 *
 * @see https://standardschema.dev
 */
export interface StandardSchema<Input = unknown> {
  /** The members that the standard requires. */
  readonly '~standard': {
    /** Used by the compiler only. */
    readonly types?: { readonly input: Input; readonly output: unknown } | undefined;
    readonly version: 1;
    readonly vendor: string;
    validate(value: unknown): SchemaResult | Promise<SchemaResult>;
  };
}

export type SchemaResult =
  { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export function isStandardSchema(value: unknown): value is StandardSchema {
  const standard = (value as Partial<StandardSchema> | null | undefined)?.['~standard'];
  return typeof standard?.validate === 'function';
}

/** @throws {FlowrraConfigError} unless it is a schema, an array of schemas and `null`, or `undefined`. */
export function checkSchemas(value: unknown, path: string): void {
  if (value === undefined || isStandardSchema(value)) return;
  if (Array.isArray(value) && value.every((each) => each === null || isStandardSchema(each))) return;
  throw wrong(
    path,
    value,
    'It must be a Standard Schema, such as z.tuple([…]), or an array of one for each argument.',
  );
}
