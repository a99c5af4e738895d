import {
  ENTRY_BYTES,
  type EntryStep,
  type InnerCopy,
  OBJECT_BYTES,
  type PayloadKind,
  SCALAR_BYTES,
  setOwn,
} from './kinds/kind.js';
import { BIGINT } from './kinds/values.js';
import { kindOf, unboxed } from './payload-kind.js';
import { instanceProblem, messageOf, promiseProblem } from './payload-rejection.js';
import { PayloadTrail } from './payload-trail.js';

type Properties = Record<string, unknown>;
type ToJson = (this: object, key: string) => unknown;

/**
 * One checked copy: of the arguments of one call, or of one result. The copied values may run the user's code
 * (getters, `toJSON()`, traps of a `Proxy`), so a walk is never shared or used again.
 */
export class PayloadWalk extends PayloadTrail implements InnerCopy {
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

  property(name: string, value: unknown): unknown {
    this.steps[this.level - 1] = name;
    this.spend(ENTRY_BYTES);
    this.spendText(name);
    return this.value(value);
  }

  entry(step: EntryStep, value: unknown): unknown {
    this.steps[this.level - 1] = step;
    this.spend(ENTRY_BYTES);
    return this.value(value);
  }

  entryValue(step: EntryStep, value: unknown): unknown {
    this.steps[this.level - 1] = step;
    return this.value(value);
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
        this.spend(BIGINT.size(value, this.room));
        return value;
      case 'function':
        return this.reject('a function cannot travel with a job; pass the data it needs instead');
      case 'symbol':
        return this.reject('a symbol cannot travel with a job; pass a string instead');
      default:
        this.spend(SCALAR_BYTES);
        return value;
    }
  }

  private container(value: object): unknown {
    this.ancestors[this.level] = value;
    if (this.level >= this.tooDeep) this.rejectDepth();
    this.spend(OBJECT_BYTES, this.level);
    const kind = kindOf(value);
    if (kind === 'object' || kind === 'instance') {
      if (kind === 'instance') this.rejectIf(promiseProblem(value));
      const toJson: unknown = (value as Properties).toJSON;
      if (typeof toJson === 'function') return this.jsonForm(value, toJson as ToJson);
    }
    return this.ofKind(value, kind);
  }

  /** Like `JSON.stringify`, it does not call `toJSON()` of what `toJSON()` returned: that may be the same object. */
  private jsonForm(value: object, toJson: ToJson): unknown {
    let form: unknown;
    try {
      form = toJson.call(value, '');
    } catch (error) {
      this.reject(`its toJSON() threw: ${messageOf(error)}`, error);
    }
    if (typeof form !== 'object' || form === null) return this.scalar(form);
    const kind = kindOf(form);
    if (kind === 'instance') this.rejectIf(promiseProblem(form));
    return this.ofKind(form, kind);
  }

  private ofKind(value: object, kind: ReturnType<typeof kindOf>): unknown {
    switch (kind) {
      case 'array':
        return this.array(value as unknown[]);
      case 'instance':
        this.rejectIf(instanceProblem(value));
        return this.object(value);
      case 'object':
        return this.object(value);
      case 'boxed':
        return this.scalar(unboxed(value));
      default:
        return this.builtIn(value, kind);
    }
  }

  private array(value: readonly unknown[]): unknown[] {
    const { length } = value;
    // Counted before anything is allocated: a sparse array may claim four billion entries.
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

  private object(value: object): Properties {
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

  private builtIn(value: object, kind: PayloadKind): unknown {
    this.rejectIf(kind.problem?.(value));
    this.spend(kind.size(value, this.room));
    const level = this.level++;
    const copy = kind.copy(value, this);
    this.level = level;
    return copy;
  }
}

/** Has exactly this capacity: an array that grows reserves more memory, and a payload may wait for a long time. */
function arrayOf(length: number): unknown[] {
  // oxlint-disable-next-line unicorn/no-new-array -- `Array.from` fills it first, at many times the cost
  return new Array<unknown>(length);
}
