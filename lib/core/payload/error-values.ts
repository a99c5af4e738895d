import { defineOwn } from './own-property.js';

const CLASSES: Record<string, ErrorConstructor> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Properties that an error has without being enumerable. */
const HIDDEN = ['message', 'stack', 'cause', 'errors'] as const;

/** What an error carries, as ordinary properties. */
export function errorProperties(error: Error): [string, unknown][] {
  const hidden = HIDDEN.filter(
    (key) => Object.hasOwn(error, key) && !Object.prototype.propertyIsEnumerable.call(error, key),
  );
  return [
    ['name', error.name],
    ...[...hidden, ...Object.keys(error)]
      .filter((key) => key !== 'name')
      .map((key): [string, unknown] => [key, error[key as keyof Error]]),
  ];
}

/** An error of the standard class of that name, or else an `Error` that bears the name, with these properties. */
export function makeError(properties: Iterable<readonly [string, unknown]>): Error {
  const given = new Map(properties);
  const name = String(given.get('name'));
  const error =
    'errors' in Object.fromEntries(given) ? new AggregateError([]) : new (CLASSES[name] ?? Error)();
  if (error.name !== name) hide(error, 'name', name);
  for (const [key, value] of given) {
    if (key === 'name') continue;
    if (HIDDEN.includes(key as (typeof HIDDEN)[number])) hide(error, key, value);
    else defineOwn(error as unknown as Record<string, unknown>, key, value);
  }
  return error;
}

export function copyError(error: Error, copy: (value: unknown, key: string) => unknown): Error {
  return makeError(errorProperties(error).map(([key, value]) => [key, copy(value, key)]));
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, enumerable: false, configurable: true, writable: true });
}
