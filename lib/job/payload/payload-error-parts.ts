import { setOwn } from './payload-kind.js';

/** An error as a plain object: what of it travels. */
export interface ErrorParts {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  /** Only where the error has one, be it `undefined`. */
  readonly cause?: unknown;
  /** The errors inside an `AggregateError`. */
  readonly errors?: unknown;
  /** Its own enumerable properties, and its `code` wherever that stands. */
  readonly props: Record<string, unknown>;
}

type Visit = (key: string, child: unknown) => unknown;

const STANDARD_CLASSES: ReadonlyMap<string, ErrorConstructor> = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((one) => [
    one.name,
    one,
  ]),
);

/** These have a place of their own in {@link ErrorParts}. */
const NAMED_PARTS: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause']);

/** Takes an error apart. `visit` is given every value inside it and returns what to put in its place. */
export function errorParts(error: object, visit: Visit): ErrorParts {
  const parts = {
    name: text(visit('name', Reflect.get(error, 'name'))) ?? 'Error',
    message: text(visit('message', Reflect.get(error, 'message'))) ?? '',
    stack: text(visit('stack', Reflect.get(error, 'stack'))),
    props: {},
  };
  if (Object.hasOwn(error, 'cause'))
    Object.assign(parts, { cause: visit('cause', Reflect.get(error, 'cause')) });
  if (Object.getOwnPropertyDescriptor(error, 'errors')?.enumerable === false) {
    Object.assign(parts, { errors: visit('errors', Reflect.get(error, 'errors')) });
  }
  for (const key of Object.keys(error)) {
    if (!NAMED_PARTS.has(key)) setOwn(parts.props, key, visit(key, Reflect.get(error, key)));
  }
  const code: unknown = Object.hasOwn(parts.props, 'code') ? undefined : Reflect.get(error, 'code');
  if (typeof code === 'string' || typeof code === 'number') setOwn(parts.props, 'code', visit('code', code));
  return parts;
}

/** Puts an error together: of its standard class if it has one, else an `Error` of that name. */
export function errorFrom(parts: ErrorParts): Error {
  const { name, message, stack, props } = parts;
  const standard = STANDARD_CLASSES.get(name);
  const error =
    name === 'AggregateError' ? new AggregateError([], message) : new (standard ?? Error)(message);
  if (error.name !== name) setOwn(error, 'name', name, false);
  if (stack === null) Reflect.deleteProperty(error, 'stack');
  else setOwn(error, 'stack', stack, false);
  if ('cause' in parts) setOwn(error, 'cause', parts.cause, false);
  if ('errors' in parts) setOwn(error, 'errors', parts.errors, false);
  for (const key of Object.keys(props)) setOwn(error, key, props[key]);
  return error;
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
