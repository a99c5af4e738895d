import { types } from 'node:util';
import { bigintFrom, bigintText } from '../../show-value.js';
import {
  EntryStep,
  type PayloadKind,
  SCALAR_BYTES,
  invalid,
  listIn,
  pairsIn,
  tagged,
  textIn,
  utf8Bytes,
} from './kind.js';

/** Longer strings are written in base64: escaping a long string full of NUL characters takes seconds and six times its size. */
const LONGEST_ESCAPED = 1_024;

/** A fast test that matches few strings; {@link UNSAFE} decides on those. */
const SUSPECT = /[\0\ud800-\udfff]/;
/** NUL and lone surrogates, which PostgreSQL and UTF-8 cannot hold. */
const UNSAFE = /[\0\p{Surrogate}]/u;
/** The characters of {@link UNSAFE}, and the escape character itself. */
const TO_ESCAPE = /[\0~\p{Surrogate}]/gu;
const ESCAPED = /~([0-9A-F]{4})/g;

const SPECIAL_NUMBERS: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

/** Whether every database can hold the string as it is. */
export function isSafeText(text: string): boolean {
  return !SUSPECT.test(text) || !UNSAFE.test(text);
}

/** Strings that are not safe text. The escape `~0000` has no backslash, which JSON would make an escape again. */
export const STRING: PayloadKind<string> = {
  types: ['string', 'utf16'],
  is: (value) => typeof value === 'string',
  size: utf8Bytes,
  copy: (text) => text,
  toJson: (text) =>
    text.length > LONGEST_ESCAPED
      ? tagged('utf16', Buffer.from(text, 'utf16le').toString('base64'))
      : tagged(
          'string',
          text.replace(
            TO_ESCAPE,
            (unit) => `~${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
          ),
        ),
  fromJson: (json) =>
    json.$type === 'utf16'
      ? Buffer.from(textIn(json), 'base64').toString('utf16le')
      : textIn(json).replace(ESCAPED, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  view: (text) => text,
};

/** `NaN`, `-0` and the infinities; JSON holds all other numbers. */
export const NUMBER: PayloadKind<number> = {
  types: ['number'],
  is: (value) => typeof value === 'number',
  size: () => SCALAR_BYTES,
  copy: (value) => value,
  toJson: (value) => tagged('number', Object.is(value, -0) ? '-0' : String(value)),
  fromJson: (json) => SPECIAL_NUMBERS.get(json.value) ?? invalid(json),
  view: (value) => (Number.isFinite(value) ? value : null),
};

export const BIGINT: PayloadKind<bigint> = {
  types: ['bigint'],
  is: (value) => typeof value === 'bigint',
  size: (value, limit) => {
    if (BigInt.asIntN(64, value) === value) return SCALAR_BYTES;
    const bits = Math.min(limit * 8 + 1, Number.MAX_SAFE_INTEGER);
    if (BigInt.asIntN(bits, value) !== value) return limit + 1;
    return Math.max(SCALAR_BYTES, Math.ceil(value.toString(16).length / 2));
  },
  copy: (value) => value,
  toJson: (value) => tagged('bigint', bigintText(value)),
  fromJson: (json) => bigintFrom(textIn(json)) ?? invalid(json),
  view: bigintText,
};

export const UNDEFINED: PayloadKind<undefined> = {
  types: ['undefined'],
  is: (value) => value === undefined,
  size: () => SCALAR_BYTES,
  copy: () => undefined,
  toJson: () => ({ $type: 'undefined' }),
  fromJson: () => undefined,
  view: () => null,
};

export const DATE: PayloadKind<Date> = {
  types: ['Date'],
  is: types.isDate,
  size: () => 0,
  copy: (date) => new Date(timeOf(date)),
  toJson: (date) => tagged('Date', isoTime(date)),
  fromJson: (json) => {
    if (json.value === null) return new Date(Number.NaN);
    const date = new Date(textIn(json));
    return Number.isNaN(date.getTime()) ? invalid(json) : date;
  },
  view: isoTime,
};

export const MAP: PayloadKind<Map<unknown, unknown>> = {
  types: ['Map'],
  is: types.isMap,
  size: () => 0,
  copy: (map, inner) => {
    const step = new EntryStep();
    const copy = new Map<unknown, unknown>();
    for (const [key, value] of Map.prototype.entries.call(map)) {
      step.part = 'keys';
      step.key = key;
      const copiedKey = inner.entry(step, key);
      step.part = 'values';
      copy.set(copiedKey, inner.entryValue(step, value));
      step.index++;
    }
    return copy;
  },
  toJson: (map, inner) =>
    tagged(
      'Map',
      Array.from(map, ([key, value]) => [inner(key), inner(value)]),
    ),
  fromJson: (json, inner) => new Map(pairsIn(json, inner)),
  view: (map, inner) => Array.from(map, ([key, value]) => [inner(key), inner(value)]),
};

export const SET: PayloadKind<Set<unknown>> = {
  types: ['Set'],
  is: types.isSet,
  size: () => 0,
  copy: (set, inner) => {
    const step = new EntryStep();
    const copy = new Set<unknown>();
    for (const value of Set.prototype.values.call(set)) {
      copy.add(inner.entry(step, value));
      step.index++;
    }
    return copy;
  },
  toJson: (set, inner) => tagged('Set', Array.from(set, inner)),
  fromJson: (json, inner) => new Set(inner(listIn(json)) as unknown[]),
  view: (set, inner) => Array.from(set, inner),
};

export const URL_KIND: PayloadKind<URL> = {
  types: ['URL'],
  is: (value) => value instanceof URL,
  size: ({ href }) => utf8Bytes(href),
  copy: ({ href }) => new URL(href),
  toJson: ({ href }) => tagged('URL', href),
  fromJson: (json) => new URL(textIn(json)),
  view: ({ href }) => href,
};

/** Its text is ASCII: it escapes everything else. */
export const URL_SEARCH_PARAMS: PayloadKind<URLSearchParams> = {
  types: ['URLSearchParams'],
  is: (value) => value instanceof URLSearchParams,
  size: (params) => queryText(params).length,
  copy: (params) => new URLSearchParams(queryText(params)),
  toJson: (params) => tagged('URLSearchParams', queryText(params)),
  fromJson: (json) => new URLSearchParams(textIn(json)),
  view: queryText,
};

export const REGEXP: PayloadKind<RegExp> = {
  types: ['RegExp'],
  is: types.isRegExp,
  size: ({ source }) => utf8Bytes(source),
  copy: ({ source, flags }) => new RegExp(source, flags),
  toJson: ({ source, flags }, inner) => tagged('RegExp', [inner(source), flags]),
  fromJson: (json, inner) => {
    const [source, flags] = inner(listIn(json)) as unknown[];
    return typeof source === 'string' && typeof flags === 'string'
      ? new RegExp(source, flags)
      : invalid(json);
  },
  view: String,
};

function isoTime(date: Date): string | null {
  const time = timeOf(date);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

/** Reads the internal slot: a subclass may override `getTime()`. */
function timeOf(date: Date): number {
  return Date.prototype.getTime.call(date);
}

/** Reads the internal list: a subclass may override `toString()`. */
function queryText(params: URLSearchParams): string {
  return URLSearchParams.prototype.toString.call(params);
}
