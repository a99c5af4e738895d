import { bigintFrom } from '../bigint-text.js';
import { PayloadError } from '../errors.js';
import { copyBytes, viewFrom } from './payload-binary.js';
import { type ErrorParts, errorFrom } from './payload-error-parts.js';
import { TAG, type Tagged, unescapeText } from './payload-tags.js';

const SPECIAL_NUMBERS: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The plain data behind `payloadToText`'s text.
 *
 * @throws {PayloadError} if the text is none of its making.
 */
export function payloadFromText(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text);
    // A key of that name is written in one way only, so most texts need no second look.
    return text.includes(`"${TAG}"`) ? revive(json) : json;
  } catch (error) {
    if (error instanceof PayloadError) throw error;
    const problem = error instanceof Error ? error.message : String(error);
    throw new PayloadError('payload', `the text is no payload that Flowrra has written: ${problem}`, {
      cause: error,
    });
  }
}

/**
 * The plain data behind `payloadToJson`'s value, which it may change.
 *
 * @throws {PayloadError} if the value is none of its making.
 */
export function payloadFromJson(json: unknown): unknown {
  try {
    return revive(json);
  } catch (error) {
    if (error instanceof PayloadError) throw error;
    throw new PayloadError('payload', `it is none that Flowrra has written: ${String(error)}`, {
      cause: error,
    });
  }
}

/** Works in place: what `JSON.parse` has made is nobody else's. */
function revive(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) {
    for (let index = 0; index < json.length; index++) json[index] = revive(json[index]);
    return json;
  }
  if (Object.hasOwn(json, TAG)) return untag(json as Tagged);
  const object = json as Record<string, unknown>;
  // An own `__proto__` is there already, so assigning it reaches no setter.
  for (const key of Object.keys(object)) object[key] = revive(object[key]);
  return object;
}

function untag(json: Tagged): unknown {
  const { [TAG]: type, value } = json;
  switch (type) {
    case 'undefined':
      return undefined;
    case 'string':
      return unescapeText(textIn(json));
    case 'utf16':
      return Buffer.from(bytesIn(json)).toString('utf16le');
    case 'number':
      return SPECIAL_NUMBERS.get(value) ?? unfit(json);
    case 'bigint':
      return bigintFrom(textIn(json)) ?? unfit(json);
    case 'Date':
      return dateIn(json);
    case 'Map':
      return new Map(pairsIn(json));
    case 'Set':
      return new Set(revive(listIn(json)) as unknown[]);
    case 'Object':
      return objectIn(json);
    case 'Error':
      return errorIn(json);
    case 'URL':
      return new URL(textIn(json));
    case 'RegExp':
      return regExpIn(json);
    case 'ArrayBuffer':
      return copyBytes(bytesIn(json));
    default:
      // An unknown `$type` ends here, too.
      return viewFrom(type, bytesIn(json)) ?? unfit(json);
  }
}

function dateIn(json: Tagged): Date {
  if (json.value === null) return new Date(Number.NaN);
  const date = new Date(textIn(json));
  return Number.isNaN(date.getTime()) ? unfit(json) : date;
}

function objectIn(json: Tagged): Record<string, unknown> {
  const pairs = pairsIn(json);
  if (!pairs.every((pair): pair is [string, unknown] => typeof pair[0] === 'string')) return unfit(json);
  return Object.fromEntries(pairs);
}

function errorIn(json: Tagged): Error {
  const parts = revive(json.value) as Partial<ErrorParts> | null | undefined;
  const isFit =
    typeof parts === 'object' &&
    typeof parts?.name === 'string' &&
    typeof parts.message === 'string' &&
    (parts.stack === null || typeof parts.stack === 'string') &&
    typeof parts.props === 'object' &&
    parts.props !== null;
  return isFit ? errorFrom(parts as ErrorParts) : unfit(json);
}

function regExpIn(json: Tagged): RegExp {
  const [source, flags] = revive(listIn(json)) as unknown[];
  return typeof source === 'string' && typeof flags === 'string' ? new RegExp(source, flags) : unfit(json);
}

function pairsIn(json: Tagged): [unknown, unknown][] {
  const list = revive(listIn(json)) as unknown[];
  return list.every((pair): pair is [unknown, unknown] => Array.isArray(pair) && pair.length === 2)
    ? list
    : unfit(json);
}

function listIn(json: Tagged): unknown[] {
  return Array.isArray(json.value) ? json.value : unfit(json);
}

function bytesIn(json: Tagged): Uint8Array {
  const text = textIn(json);
  return text.length % 4 === 0 && BASE64.test(text) ? Buffer.from(text, 'base64') : unfit(json);
}

function textIn(json: Tagged): string {
  return typeof json.value === 'string' ? json.value : unfit(json);
}

function unfit(json: Tagged): never {
  throw new PayloadError(
    'payload',
    `the text is no payload that Flowrra has written: ${JSON.stringify(json).slice(0, 120)}`,
  );
}
