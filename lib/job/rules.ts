import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import { checkKeys, checkObject, hasMethods, suggest, wrong } from './check.js';
import { type Duration, parseDuration } from './duration.js';

/**
 * Checks one option and returns its resolved value. The value is `undefined` if the option was not given;
 * `path` names the option in errors.
 *
 * @throws {FlowrraConfigError} that names the option, its value and the valid values.
 */
export type Rule<T> = (value: unknown, path: string) => T;

/** A table with one rule for each option of `T`: the compiler rejects a missing and an unknown option. */
export type RulesOf<T> = { readonly [K in keyof Required<T>]: Rule<unknown> };

type Rules = Readonly<Record<string, Rule<unknown>>>;

type Values<R extends Rules> = { readonly [K in keyof R]: ReturnType<R[K]> };

/** The options of a table, checked, with all defaults. */
export type Resolved<T> = T extends OptionTable<infer R> ? Values<R> : never;

/** Checks options by a table of rules, and fills in the defaults. */
export class OptionTable<R extends Rules> {
  /** The names of the options. */
  readonly keys: readonly string[];
  /** Submissions resolve options often, so rules run only for given values and for required options. */
  private readonly defaults: Record<string, unknown> = {};
  private readonly required: string[] = [];

  constructor(private readonly rules: R) {
    this.keys = Object.keys(rules);
    for (const key of this.keys) {
      try {
        this.defaults[key] = rules[key]?.(undefined, key);
      } catch {
        // Set, since an object is slower to extend than to change.
        this.defaults[key] = undefined;
        this.required.push(key);
      }
    }
  }

  /**
   * @param what Names the options as a whole in errors, such as `queues.reports`.
   * @param prefix Precedes an option's name in errors.
   * @throws {FlowrraConfigError} for an unknown option and for an invalid value.
   */
  resolve(options: unknown, what: string, prefix = `${what}.`): Values<R> {
    checkKeys(options, this.keys, what);
    return this.apply(options as object, prefix);
  }

  /** Like {@link resolve}, but ignores options that are not in the table. */
  apply(options: object, prefix: string): Values<R> {
    const { rules, required } = this;
    const resolved = { ...this.defaults };
    for (const key of this.keys) {
      const value = (options as Record<string, unknown>)[key];
      if (value !== undefined || required.includes(key)) resolved[key] = rules[key]?.(value, prefix + key);
    }
    return resolved as Values<R>;
  }
}

/** Options within an option. Without a value, every option has its default. */
export function nested<R extends Rules>(table: OptionTable<R>): Rule<Values<R>> {
  return (value = {}, path) => table.resolve(value, path);
}

/** A rule that applies only if a value is given; otherwise the result is `fallback`. */
export function optional<T>(rule: Rule<T>): Rule<T | undefined>;
export function optional<T, D>(rule: Rule<T>, fallback: D): Rule<T | D>;
export function optional<T>(rule: Rule<T>, fallback?: unknown): Rule<unknown> {
  return (value, path) => (value === undefined ? fallback : rule(value, path));
}

/** A rule for an option that must be given. */
export function required<T>(rule: Rule<T | undefined>): Rule<T> {
  return (value, path) => {
    const resolved = rule(value, path);
    if (resolved !== undefined) return resolved;
    throw wrong(path, value, 'It is required.');
  };
}

/** Options by name, resolved to a Map. `need` says what the object must look like. */
export function byName<T>(
  checkName: Rule<string>,
  rule: Rule<T>,
  need: string,
): Rule<ReadonlyMap<string, T>> {
  return (value = {}, path) => {
    checkObject(value, path, need);
    return new Map(
      Object.entries(value).map(([name, options]) => {
        const at = `${path}['${name}']`;
        return [checkName(name, at), rule(options, at)];
      }),
    );
  };
}

/** A whole number from `min` to `max`. `infinite` allows `Infinity` as well. */
export function wholeNumber<D extends number | undefined = undefined>(bounds: {
  readonly min: number;
  readonly max?: number;
  readonly infinite?: boolean;
  readonly default?: D;
}): Rule<number | D> {
  const { min, max, infinite = false } = bounds;
  const most = max ?? Number.MAX_SAFE_INTEGER;
  const range = max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  return (value, path) => {
    if (value === undefined) return bounds.default as D;
    if (infinite && value === Infinity) return value;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= most) return value;
    throw wrong(path, value, `It must be a whole number ${range}${infinite ? ', or Infinity' : ''}.`);
  };
}

/** One of some words. */
export function oneOf<const T extends string, D extends T | undefined = undefined>(
  words: readonly T[],
  fallback?: D,
): Rule<T | D> {
  return (value, path) => {
    if (value === undefined) return fallback as D;
    if (words.includes(value as T)) return value as T;
    throw wrong(path, value, suggest(value, words));
  };
}

/** `true` or `false`. */
export function flag(fallback: boolean): Rule<boolean> {
  return (value = fallback, path) => {
    if (typeof value === 'boolean') return value;
    throw wrong(path, value, 'It must be true or false.');
  };
}

interface DurationBounds {
  /** Milliseconds. */
  readonly min?: number;
  readonly max?: number;
}

/** A duration, resolved to whole milliseconds. The default may be `Infinity`. */
export function duration(bounds: DurationBounds & { readonly default: Duration }): Rule<number>;
export function duration(bounds?: DurationBounds): Rule<number | undefined>;
export function duration(
  bounds: DurationBounds & { readonly default?: Duration } = {},
): Rule<number | undefined> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = bounds;
  const { default: given } = bounds;
  const fallback = given === undefined || given === Infinity ? given : parseDuration(given, 'default');
  const most = bounds.max === undefined ? '' : ` and at most ${max} ms`;
  return (value, path) => {
    if (value === undefined) return fallback;
    const ms = parseDuration(value, path);
    if (ms >= min && ms <= max) return ms;
    throw wrong(path, value, `It must be at least ${min} ms${most}.`);
  };
}

/** Milliseconds, at least 1. `Infinity`, which is the default, means no limit. */
export const timeLimit: Rule<number> = (value = Infinity, path) => {
  const limit = value === Infinity ? Infinity : parseDuration(value, path);
  if (limit > 0) return limit;
  throw wrong(path, value, 'It must be at least 1 ms. For no limit, leave it out or give Infinity.');
};

/** A valid `Date`. */
export const date: Rule<Date | undefined> = (value, path) => {
  if (value === undefined || (types.isDate(value) && !Number.isNaN(value.getTime()))) return value;
  throw wrong(path, value, 'It must be a valid Date.');
};

/** A string that matches a pattern. `need` says which strings do. */
export function text<D extends string | undefined = undefined>(
  pattern: RegExp,
  need: string,
  fallback?: D,
): Rule<string | D> {
  return (value, path) => {
    if (value === undefined) return fallback as D;
    if (typeof value === 'string' && pattern.test(value)) return value;
    throw wrong(path, value, need);
  };
}

/** An object with some methods. */
export function withMethods<T extends object, D = undefined>(
  methods: readonly string[],
  need: string,
  fallback?: D,
): Rule<T | D> {
  return (value, path) => {
    if (value === undefined) return fallback as D;
    if (hasMethods<T>(value, methods)) return value;
    throw wrong(path, value, need);
  };
}

/**
 * A file that a thread can import, resolved to a `file:` URL. A relative path is not valid: it is unknown
 * which folder it is relative to.
 *
 * @param example A valid value, for the error.
 */
export function fileUrl(example: string): Rule<string> {
  return (file, path) => {
    if (file instanceof URL && file.protocol === 'file:') return file.href;
    // With a slash after the colon: `file:./x.js` would be read as /x.js in the root directory.
    if (typeof file === 'string' && /^file:\//i.test(file) && URL.canParse(file)) return new URL(file).href;
    if (typeof file === 'string' && isAbsolute(file)) return pathToFileURL(file).href;
    throw wrong(path, file, `It must be a file: URL or an absolute path, such as ${example}.`);
  };
}
