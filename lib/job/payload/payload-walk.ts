import { types } from 'node:util';
import { setOwn, type PayloadKind, kindOf, unboxed } from './payload-kind.js';
import { bytesOf, copyBytes, copyView } from './payload-binary.js';
import { errorFrom, errorParts } from './payload-error-parts.js';
import { EntryStep } from './payload-path.js';
import { messageOf, refusedInstance, refusedPromise } from './payload-refusal.js';
import { ENTRY_BYTES, OBJECT_BYTES, SCALAR_BYTES, bigintBytes } from './payload-size.js';
import { PayloadTrail } from './payload-trail.js';

type Properties = Record<string, unknown>;
type ToJson = (this: object, key: string) => unknown;

/**
 * One checked copy: of the arguments of one call, or of one result. The values it reads may run code
 * of the user (getters, `toJSON()`, traps of a `Proxy`), so a walk is never shared or used again.
 */
export class PayloadWalk extends PayloadTrail {
  args(args: readonly unknown[]): unknown[] {
    try {
      this.ancestors[0] = args;
      const copy = arrayOf(args.length);
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
    if (typeof toJson === 'function') return this.jsonForm(value, toJson as ToJson);
    return this.object(value, kind);
  }

  /** As in `JSON.stringify`, what `toJSON()` returns is not asked for its own: it may be the same object. */
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
    const copy = arrayOf(length);
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
}

/** Of exactly that capacity: an array that grows keeps room to spare, in a payload that may wait for long. */
function arrayOf(length: number): unknown[] {
  // oxlint-disable-next-line unicorn/no-new-array -- `Array.from` fills it first, at many times the cost
  return new Array<unknown>(length);
}
