import { types } from 'node:util';
import { PayloadError } from '../errors.js';
import { setOwn } from './own-property.js';
import { bytesOf, copyBytes, copyView } from './payload-binary.js';
import { errorFrom, errorParts } from './payload-error-parts.js';
import { type PayloadKind, kindOf } from './payload-kind.js';
import { EntryStep, type PathStep, formatPath } from './payload-path.js';
import { refusedInstance, refusedPromise } from './payload-refusal.js';
import { ENTRY_BYTES, OBJECT_BYTES, SCALAR_BYTES, bigintBytes, utf8Bytes } from './payload-size.js';

const DEEPEST = 500;

type Properties = Record<string, unknown>;
type ToJson = (this: object, key: string) => unknown;

/**
 * One checked copy: of the arguments of one call, or of one result. The values it reads may run code
 * of the user (getters, `toJSON()`, traps of a `Proxy`), so a walk is never shared or used again.
 *
 * `steps[0..level)` lead to the value at hand, and `ancestors[i]` is the container that `steps[i]`
 * starts from. They are not unwound when something throws: {@link path} still says where it was.
 */
export class PayloadWalk {
  private readonly steps: PathStep[] = [];
  private readonly ancestors: object[] = [];
  private level: number;
  private readonly tooDeep: number;
  private room: number;
  private refusal: PayloadError | null = null;

  constructor(
    private readonly root: 'args' | 'result',
    private readonly maxBytes: number,
  ) {
    this.room = maxBytes;
    // The list of the arguments is no nesting of the user's: it stands a level above them.
    this.level = root === 'args' ? 1 : 0;
    this.tooDeep = this.level + DEEPEST;
  }

  args(args: readonly unknown[]): unknown[] {
    try {
      this.ancestors[0] = args;
      const copy = new Array<unknown>(args.length);
      for (let index = 0; index < args.length; index++) {
        this.steps[0] = index;
        copy[index] = this.value(args[index]);
      }
      return copy;
    } catch (error) {
      throw this.explained(error);
    }
  }

  result(value: unknown): unknown {
    try {
      return this.value(value);
    } catch (error) {
      throw this.explained(error);
    }
  }

  private value(value: unknown): unknown {
    return typeof value === 'object' && value !== null ? this.container(value) : this.scalar(value);
  }

  private scalar(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        this.spendText(value);
        return value;
      case 'bigint':
        this.spend(bigintBytes(value, this.room));
        return value;
      case 'function':
        return this.refuse('a function cannot travel with a job; pass the data it needs instead');
      case 'symbol':
        return this.refuse('a symbol cannot travel with a job; pass a string instead');
      default:
        this.spend(SCALAR_BYTES);
        return value;
    }
  }

  private container(value: object): unknown {
    this.ancestors[this.level] = value;
    if (this.level >= this.tooDeep) this.refuseDepth();
    this.spend(OBJECT_BYTES, this.level);
    const kind = kindOf(value);
    if (kind === 'array') return this.array(value as unknown[]);
    if (kind !== 'object' && kind !== 'instance') return this.native(value, kind);
    if (kind === 'instance') this.refuseIf(refusedPromise(value));
    const toJson: unknown = (value as Properties).toJSON;
    return typeof toJson === 'function' ? this.jsonForm(value, toJson as ToJson) : this.object(value, kind);
  }

  /** What `toJSON()` returns is not asked for its own, as in `JSON.stringify`: an object may return itself. */
  private jsonForm(value: object, toJson: ToJson): unknown {
    let form: unknown;
    try {
      form = toJson.call(value, '');
    } catch (error) {
      this.refuse(`its toJSON() threw: ${messageOf(error)}`, error);
    }
    if (typeof form !== 'object' || form === null) return this.scalar(form);
    const kind = kindOf(form);
    if (kind === 'array') return this.array(form as unknown[]);
    if (kind !== 'object' && kind !== 'instance') return this.native(form, kind);
    if (kind === 'instance') this.refuseIf(refusedPromise(form));
    return this.object(form, kind);
  }

  private array(value: readonly unknown[]): unknown[] {
    const { length } = value;
    // Before anything is allocated: a sparse array may claim four billion entries.
    this.spend(length * ENTRY_BYTES, this.level);
    const level = this.level++;
    const copy = new Array<unknown>(length);
    for (let index = 0; index < length; index++) {
      this.steps[level] = index;
      copy[index] = this.value(value[index]);
    }
    this.level = level;
    return copy;
  }

  private object(value: object, kind: 'object' | 'instance'): Properties {
    if (kind === 'instance') this.refuseIf(refusedInstance(value));
    const level = this.level++;
    const copy: Properties = {};
    for (const key of Object.keys(value)) {
      this.steps[level] = key;
      this.spend(ENTRY_BYTES);
      this.spendText(key);
      const child = this.value((value as Properties)[key]);
      if (key !== '__proto__') copy[key] = child;
      else setOwn(copy, key, child);
    }
    this.level = level;
    return copy;
  }

  private native(value: object, kind: Exclude<PayloadKind, 'array' | 'object' | 'instance'>): unknown {
    switch (kind) {
      case 'date':
        return new Date(Date.prototype.getTime.call(value));
      case 'map':
        return this.map(value as Map<unknown, unknown>);
      case 'set':
        return this.set(value as Set<unknown>);
      case 'view':
        return this.view(value as ArrayBufferView);
      case 'buffer': {
        const bytes = new Uint8Array(value as ArrayBuffer);
        this.spend(bytes.length);
        return copyBytes(bytes);
      }
      case 'error':
        return this.error(value);
      case 'url':
        this.spendText((value as URL).href);
        return new URL((value as URL).href);
      case 'regexp':
        this.spendText((value as RegExp).source);
        return new RegExp((value as RegExp).source, (value as RegExp).flags);
      case 'boxed':
        return this.scalar(unboxed(value));
    }
  }

  private map(value: Map<unknown, unknown>): Map<unknown, unknown> {
    const step = new EntryStep();
    const level = this.level++;
    this.steps[level] = step;
    const copy = new Map<unknown, unknown>();
    for (const [key, entry] of Map.prototype.entries.call(value)) {
      this.spend(ENTRY_BYTES);
      step.part = 'keys';
      step.key = key;
      const copiedKey = this.value(key);
      step.part = 'values';
      copy.set(copiedKey, this.value(entry));
      step.index++;
    }
    this.level = level;
    return copy;
  }

  private set(value: Set<unknown>): Set<unknown> {
    const step = new EntryStep();
    const level = this.level++;
    this.steps[level] = step;
    const copy = new Set<unknown>();
    for (const entry of Set.prototype.values.call(value)) {
      this.spend(ENTRY_BYTES);
      copy.add(this.value(entry));
      step.index++;
    }
    this.level = level;
    return copy;
  }

  private view(value: ArrayBufferView): ArrayBufferView {
    if (types.isSharedArrayBuffer(value.buffer)) {
      this.refuse(
        'a view of a SharedArrayBuffer cannot travel with a job, since a copy shares nothing; pass a copy',
      );
    }
    this.spend(bytesOf(value).length);
    return copyView(value);
  }

  private error(value: object): Error {
    const level = this.level++;
    const parts = errorParts(value, (key, child) => {
      this.steps[level] = key;
      this.spend(ENTRY_BYTES);
      this.spendText(key);
      return this.value(child);
    });
    this.level = level;
    return errorFrom(parts);
  }

  /** @param container The level of the innermost container that is being copied. */
  private spend(bytes: number, container = this.level - 1): void {
    this.room -= bytes;
    if (this.room < 0) this.refuseSize(container);
  }

  private spendText(text: string): void {
    // A character takes a byte at least: what is too long already need not be measured.
    this.spend(text.length > this.room ? text.length : utf8Bytes(text));
  }

  private refuseSize(container: number): never {
    this.refuseCycle(container);
    const all = this.root === 'args' ? 'the arguments take' : 'the result takes';
    this.refuse(
      `with this value, ${all} more than ${this.maxBytes} bytes; ` +
        'pass a reference, such as an id or the name of a file, or raise maxPayloadBytes',
    );
  }

  private refuseDepth(): never {
    this.refuseCycle(this.level);
    this.refuse(
      `the value is nested deeper than ${DEEPEST} levels; pass a flatter structure, such as a list of nodes`,
    );
  }

  /**
   * A walk along a cycle ends by depth or size alone, since the walk leaves no container on the way
   * round. Only then it is worth finding out that a container stands among its own ancestors.
   */
  private refuseCycle(last: number): void {
    const first = new Map<object, number>();
    for (let at = 0; at <= last; at++) {
      const ancestor = this.ancestors[at] as object;
      const start = first.get(ancestor);
      if (start !== undefined) {
        this.level = at;
        this.refuse(
          `the value refers back to itself (it is ${this.pathTo(start)}, which contains it); pass an id instead of the object`,
        );
      }
      first.set(ancestor, at);
    }
  }

  private refuseIf(problem: string | null): void {
    if (problem !== null) this.refuse(problem);
  }

  private refuse(problem: string, cause?: unknown): never {
    this.refusal = new PayloadError(this.path(), problem, cause === undefined ? undefined : { cause });
    throw this.refusal;
  }

  /** What was thrown may come from the user's own code: then it is the cause. */
  private explained(error: unknown): PayloadError {
    return this.refusal !== null && error === this.refusal
      ? this.refusal
      : new PayloadError(this.path(), `reading the value threw: ${messageOf(error)}`, { cause: error });
  }

  private path(): string {
    return this.pathTo(this.level);
  }

  private pathTo(level: number): string {
    return formatPath(this.root, this.steps.slice(0, level));
  }
}

function unboxed(value: object): unknown {
  if (types.isStringObject(value)) return String.prototype.valueOf.call(value);
  if (types.isNumberObject(value)) return Number.prototype.valueOf.call(value);
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value);
  return types.isBigIntObject(value)
    ? BigInt.prototype.valueOf.call(value)
    : Symbol.prototype.valueOf.call(value);
}

function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error || types.isNativeError(error) ? error.message : error);
  } catch {
    return 'something that cannot be shown was thrown';
  }
}
