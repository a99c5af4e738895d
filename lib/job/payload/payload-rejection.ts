import { types } from 'node:util';
import { tagOf } from './payload-kind.js';

/** Built-in classes whose state is not in their properties, or that work in one process only. */
const BOUND_TO_THE_PROCESS: ReadonlySet<string> = new Set([
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'FinalizationRegistry',
  'SharedArrayBuffer',
  'Blob',
  'File',
  'AbortSignal',
  'AbortController',
  'MessagePort',
]);

const STREAMS: ReadonlySet<string> = new Set(['ReadableStream', 'WritableStream', 'TransformStream']);

/** Why a promise or a thenable is rejected; `null` for every other object. */
export function promiseProblem(value: object): string | null {
  return types.isPromise(value) || isFunction(value, 'then')
    ? 'a promise cannot travel with a job; await it, and pass its value'
    : null;
}

/** Why an instance without `toJSON()` cannot be copied by its properties; `null` if it can. */
export function instanceProblem(value: object): string | null {
  const tag = tagOf(value);
  if (types.isGeneratorObject(value) || /Iterator$|Generator$/.test(tag) || isOpenIterator(value)) {
    return 'an iterator or generator cannot travel with a job; pass the values it yields, as an array';
  }
  if (isFunction(value, 'pipe') && isFunction(value, 'subscribe')) {
    return 'an Observable cannot travel with a job; pass the values it emits';
  }
  if (STREAMS.has(tag) || (isFunction(value, 'pipe') && isFunction(value, 'on'))) {
    return 'a stream cannot travel with a job; pass its content, or where the content can be found';
  }
  if (BOUND_TO_THE_PROCESS.has(tag))
    return `a ${tag} cannot travel with a job; pass the data that the task needs from it`;
  if (Object.keys(value).length > 0) return null;
  return (
    `this ${classNameOf(value)} has no enumerable properties of its own to travel by; ` +
    'give its class a toJSON() that returns its data, or pass plain data'
  );
}

function isOpenIterator(value: object): boolean {
  return isFunction(value, 'next') && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

function isFunction(value: object, key: string): boolean {
  return typeof Reflect.get(value, key) === 'function';
}

function classNameOf(value: object): string {
  const { constructor } = value;
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'object';
}

/** The message of anything that the user's code has thrown. Never throws. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error || types.isNativeError(error) ? error.message : error);
  } catch {
    return 'something that cannot be shown was thrown';
  }
}
