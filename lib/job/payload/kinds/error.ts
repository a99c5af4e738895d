import { types } from 'node:util';
import { type PayloadKind, invalid, setOwn, tagged } from './kind.js';

/** The parts of an error that are copied and stored. */
export interface ErrorParts {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  /** Present only if the error has one, even if it is `undefined`. */
  readonly cause?: unknown;
  /** The errors inside an `AggregateError`. */
  readonly errors?: unknown;
  /** The own enumerable properties, and `code` even if it is inherited. */
  readonly props: Record<string, unknown>;
}

const STANDARD_CLASSES: ReadonlyMap<string, ErrorConstructor> = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((one) => [
    one.name,
    one,
  ]),
);

/** These properties are fields of {@link ErrorParts}. */
const NAMED_PARTS: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause']);

export const ERROR: PayloadKind<Error> = {
  types: ['Error'],
  is: (value) =>
    types.isNativeError(value) ||
    value instanceof Error ||
    Object.prototype.toString.call(value) === '[object DOMException]',
  size: () => 0,
  copy: (error, inner) => errorFrom(partsOf(error, (name, value) => inner.property(name, value))),
  toJson: (error, inner) => tagged('Error', inner(partsOf(error, (_name, value) => value))),
  fromJson: (json, inner) => {
    const parts = inner(json.value) as Partial<ErrorParts> | null | undefined;
    const isValid =
      typeof parts === 'object' &&
      typeof parts?.name === 'string' &&
      typeof parts.message === 'string' &&
      (parts.stack === null || typeof parts.stack === 'string') &&
      typeof parts.props === 'object' &&
      parts.props !== null;
    return isValid ? errorFrom(parts as ErrorParts) : invalid(json);
  },
  view: ({ name, message }) => ({ name, message }),
};

/** Creates an error of the standard class with that name, otherwise an `Error` with that name. */
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

function partsOf(error: object, replace: (name: string, value: unknown) => unknown): ErrorParts {
  const parts = {
    name: text(replace('name', Reflect.get(error, 'name'))) ?? 'Error',
    message: text(replace('message', Reflect.get(error, 'message'))) ?? '',
    stack: text(replace('stack', Reflect.get(error, 'stack'))),
    props: {},
  };
  if (Object.hasOwn(error, 'cause'))
    Object.assign(parts, { cause: replace('cause', Reflect.get(error, 'cause')) });
  if (Object.getOwnPropertyDescriptor(error, 'errors')?.enumerable === false) {
    Object.assign(parts, { errors: replace('errors', Reflect.get(error, 'errors')) });
  }
  for (const key of Object.keys(error)) {
    if (!NAMED_PARTS.has(key)) setOwn(parts.props, key, replace(key, Reflect.get(error, key)));
  }
  const code: unknown = Object.hasOwn(parts.props, 'code') ? undefined : Reflect.get(error, 'code');
  if (typeof code === 'string' || typeof code === 'number')
    setOwn(parts.props, 'code', replace('code', code));
  return parts;
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
