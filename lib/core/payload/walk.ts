import { types } from 'node:util';
import { PayloadError } from '../errors.js';
import { copyError } from './error-values.js';
import { defineOwn } from './own-property.js';
import { copyBinary } from './plain-copy.js';

const MAX_DEPTH = 500;
/** What a number, a date or an empty container counts, beside what it holds. */
const UNIT = 8;

type Step = string | number;

/** Why a value cannot travel, before its path is known. */
class Refusal extends Error {
  constructor(
    readonly problem: string,
    readonly kind: 'value' | 'limit' = 'value',
    options?: ErrorOptions,
  ) {
    super(problem, options);
  }
}

/**
 * One pass over a payload: refuses what cannot travel, measures the rest, and copies it. The path is
 * kept as a stack of steps, and written out only for an error.
 */
export class Walk {
  private bytes = 0;
  private readonly path: Step[] = [];

  constructor(private readonly maxBytes: number) {}

  root(value: unknown): unknown {
    return this.any(value);
  }

  value(value: unknown, key: Step): unknown {
    this.path.push(key);
    const copy = this.any(value);
    this.path.pop();
    return copy;
  }

  /** The error to throw for what this walk has thrown. A limit that was exceeded because of a cycle is told as a cycle. */
  explain(error: unknown, rootName: string, root: unknown): PayloadError {
    if (!(error instanceof Refusal))
      return new PayloadError(written(rootName, this.path), 'could not be read', { cause: error });
    if (error.kind === 'limit') {
      const cycle = findCycle(root);
      if (cycle)
        return new PayloadError(written(rootName, cycle), 'refers back to an object that contains it');
    }
    return new PayloadError(error.kind === 'limit' ? rootName : written(rootName, this.path), error.problem, {
      cause: error.cause,
    });
  }

  private any(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        this.count(value.length <= 16 ? value.length : Buffer.byteLength(value));
        return value;
      case 'bigint':
        this.count(UNIT + (value < 2n ** 63n && value > -(2n ** 63n) ? 0 : value.toString(16).length));
        return value;
      case 'function':
        throw new Refusal(
          `is a function${value.name ? ` (${value.name})` : ''}, which cannot travel to a task. Pass data; the task knows the code`,
        );
      case 'symbol':
        throw new Refusal('is a symbol, which cannot travel to a task');
      case 'object':
        return value === null ? this.counted(value) : this.object(value);
      default:
        return this.counted(value);
    }
  }

  private object(value: object): unknown {
    if (this.path.length > MAX_DEPTH) throw new Refusal(`is nested deeper than ${MAX_DEPTH} levels`, 'limit');
    this.count(UNIT);
    if (Array.isArray(value)) return this.array(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (isPlain(prototype)) return this.record(value);
    if (types.isDate(value)) return new Date(value.getTime());
    if (types.isMap(value)) return this.map(value);
    if (types.isSet(value)) return new Set(Array.from(value, (entry, index) => this.value(entry, index)));
    if (Buffer.isBuffer(value)) return Buffer.from(this.binary(value));
    if (types.isArrayBuffer(value)) return copyBinary(this.binary(value));
    if (ArrayBuffer.isView(value)) return copyBinary(this.binary(value));
    if (types.isNativeError(value)) return copyError(value, (entry, key) => this.value(entry, key));
    if (value instanceof URL) return new URL(value.href);
    if (types.isRegExp(value)) return new RegExp(value.source, value.flags);
    if (types.isBoxedPrimitive(value)) return this.any((value as { valueOf(): unknown }).valueOf());
    return this.instance(value);
  }

  private array(value: readonly unknown[]): unknown[] {
    this.count(value.length);
    const copy: unknown[] = [];
    // Not `map`, which would keep holes: they travel as undefined, as in a spread.
    for (let index = 0; index < value.length; index++) copy.push(this.value(value[index], index));
    return copy;
  }

  private map(value: Map<unknown, unknown>): Map<unknown, unknown> {
    return new Map(
      Array.from(value, ([key, entry], index) => [
        this.value(key, `key ${index}`),
        this.value(entry, typeof key === 'string' ? key : index),
      ]),
    );
  }

  private instance(value: object): unknown {
    const exotic = exoticKind(value);
    if (exotic) throw new Refusal(`is ${exotic}, which cannot travel to a task`);
    return this.record(value);
  }

  private record(value: object): unknown {
    const source = value as Record<string, unknown>;
    if (typeof source['toJSON'] === 'function') return this.json(source as { toJSON(): unknown });
    const keys = Object.keys(value);
    if (keys.length === 0 && !isPlain(Object.getPrototypeOf(value))) {
      throw new Refusal(
        `is an instance of ${className(value)} without properties of its own, so its state is hidden. Give the class a toJSON(), or pass its data`,
      );
    }
    const copy: Record<string, unknown> = {};
    for (const key of keys) {
      this.count(key.length);
      this.path.push(key);
      defineOwn(copy, key, this.any(source[key]));
      this.path.pop();
    }
    return copy;
  }

  private json(value: { toJSON(): unknown }): unknown {
    const data = value.toJSON();
    // Its own answer would be asked for its answer again, without end.
    return data === value ||
      (typeof data === 'object' &&
        data !== null &&
        typeof (data as { toJSON?: unknown }).toJSON === 'function' &&
        !types.isDate(data))
      ? this.refuseJson()
      : this.any(data);
  }

  private refuseJson(): never {
    throw new Refusal('has a toJSON() that answers with an object that has one, too');
  }

  private binary<T extends ArrayBufferView | ArrayBuffer>(value: T): T {
    if (!types.isArrayBuffer(value) && types.isSharedArrayBuffer(value.buffer)) {
      throw new Refusal('is a view of a SharedArrayBuffer, which would be shared with the task. Copy it');
    }
    this.count(value.byteLength);
    return value;
  }

  private counted<T>(value: T): T {
    this.count(UNIT);
    return value;
  }

  private count(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.maxBytes) {
      throw new Refusal(
        `is larger than ${this.maxBytes} bytes. Keep large data elsewhere and pass where it is, or raise maxPayloadBytes`,
        'limit',
      );
    }
  }
}

/** A prototype whose own prototype is null is some realm's `Object.prototype`. */
function isPlain(prototype: unknown): boolean {
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

/** What a value is that only means something in its own process; `null` for what may be data. */
function exoticKind(value: object): string | null {
  if (types.isPromise(value) || typeof (value as { then?: unknown }).then === 'function') return 'a Promise';
  if (types.isWeakMap(value) || types.isWeakSet(value)) return `a ${className(value)}`;
  if (types.isGeneratorObject(value) || types.isProxy(value) || types.isExternal(value))
    return 'an object of the engine (a generator or a proxy)';
  if (types.isSharedArrayBuffer(value)) return 'a SharedArrayBuffer';
  const candidate = value as Partial<Record<string, unknown>>;
  if (typeof candidate['pipe'] === 'function') return 'a stream or an Observable';
  if (typeof candidate['next'] === 'function') return 'an iterator';
  return value instanceof EventTarget || value instanceof Blob || value instanceof WeakRef
    ? `a ${className(value)}`
    : null;
}

function className(value: object): string {
  return (value.constructor as { name?: string } | undefined)?.name || 'a class without a name';
}

function written(rootName: string, path: readonly Step[]): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === 'number'
        ? `${text}[${step}]`
        : /^[A-Za-z_$][\w$]*$/.test(step)
          ? `${text}.${step}`
          : `${text}[${JSON.stringify(step)}]`,
    rootName,
  );
}

/** The path to the first object that contains itself. Iterative: what it looks at may be too deep to recurse. */
function findCycle(root: unknown): Step[] | null {
  const seen = new Set<unknown>();
  const ancestors: { value: object; entries: [Step, unknown][] }[] = [];
  const path: Step[] = [];
  const enter = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return void path.pop();
    seen.add(value);
    ancestors.push({ value, entries: entriesOf(value) });
  };
  enter(root);
  while (ancestors.length > 0) {
    const next = ancestors.at(-1)?.entries.pop();
    if (next === undefined) {
      ancestors.pop();
      path.pop();
      continue;
    }
    path.push(next[0]);
    if (ancestors.some(({ value }) => value === next[1])) return path;
    enter(next[1]);
  }
  return null;
}

function entriesOf(value: object): [Step, unknown][] {
  if (Array.isArray(value))
    return value.length > 100_000
      ? []
      : value.map((entry, index): [Step, unknown] => [index, entry]).reverse();
  if (types.isMap(value))
    return [...value].map(([key, entry], index): [Step, unknown] => [
      typeof key === 'string' ? key : index,
      entry,
    ]);
  if (types.isSet(value)) return [...value].map((entry, index): [Step, unknown] => [index, entry]);
  try {
    return ArrayBuffer.isView(value) ? [] : Object.entries(value).reverse();
  } catch {
    return [];
  }
}
