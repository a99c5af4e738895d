import { PayloadError } from '../errors.js';
import { type Tagged, TAG, invalid, pairsIn, tagged } from './kinds/kind.js';
import { BIGINT, NUMBER, STRING, UNDEFINED, isSafeText } from './kinds/values.js';
import { kindOf, kindOfType } from './payload-kind.js';

/**
 * Writes plain data as lossless JSON text. Values that JSON can hold look like themselves; every other value is
 * an object with a `$type`: `{"$type":"Date","value":"2030-01-01T00:00:00.000Z"}`. The text contains no NUL and
 * no lone surrogate, raw or escaped, so every database can store it, including PostgreSQL's `jsonb`.
 *
 * @throws {PayloadError} if `plain` is not from the codec and contains a value that has no JSON form.
 */
export function payloadToText(plain: unknown): string {
  return JSON.stringify(payloadToJson(plain));
}

/** Like {@link payloadToText}, for storage that writes the text itself. The result may share objects with `plain`. */
export function payloadToJson(plain: unknown): unknown {
  return isJson(plain) ? plain : toJson(plain);
}

/**
 * Reads the text of {@link payloadToText}.
 *
 * @throws {PayloadError} if Flowrra did not write the text.
 */
export function payloadFromText(text: string): unknown {
  return decoded(() => {
    const json: unknown = JSON.parse(text);
    // Flowrra writes this key in one way only, so most texts need no decoding.
    return text.includes(`"${TAG}"`) ? fromJson(json) : json;
  });
}

/**
 * Reads the value of {@link payloadToJson}, which it may change.
 *
 * @throws {PayloadError} if Flowrra did not write the value.
 */
export function payloadFromJson(json: unknown): unknown {
  return decoded(() => fromJson(json));
}

function decoded(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof PayloadError) throw error;
    const problem = error instanceof Error ? error.message : String(error);
    throw new PayloadError('payload', `Flowrra did not write this stored value: ${problem}`, {
      cause: error,
    });
  }
}

/** Whether `JSON.stringify` loses nothing. Most payloads are such, and are not copied. */
function isJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return isSafeText(value);
    case 'number':
      return isJsonNumber(value);
    case 'boolean':
      return true;
    case 'object':
      if (value === null) return true;
      return Array.isArray(value) ? isJsonArray(value) : isJsonObject(value);
    default:
      return false;
  }
}

function isJsonObject(value: object): boolean {
  if (kindOf(value) !== 'object') return false;
  for (const key of Object.keys(value)) {
    if (!isPlainKey(key) || !isJson((value as Record<string, unknown>)[key])) return false;
  }
  return true;
}

/** Unlike `every`, it does not skip holes. */
function isJsonArray(value: readonly unknown[]): boolean {
  for (let index = 0; index < value.length; index++) {
    if (!isJson(value[index])) return false;
  }
  return true;
}

function isJsonNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

function isPlainKey(key: string): boolean {
  return key !== TAG && isSafeText(key);
}

function toJson(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return isSafeText(value) ? value : STRING.toJson(value, toJson);
    case 'number':
      return isJsonNumber(value) ? value : NUMBER.toJson(value, toJson);
    case 'bigint':
      return BIGINT.toJson(value, toJson);
    case 'undefined':
      return UNDEFINED.toJson(value, toJson);
    case 'boolean':
      return value;
    case 'object':
      return value === null ? null : objectToJson(value);
    default:
      return noForm(`a ${typeof value}`);
  }
}

function objectToJson(value: object): unknown {
  const kind = kindOf(value);
  if (kind === 'array') return Array.from(value as unknown[], toJson);
  if (kind === 'object') return propertiesToJson(value as Record<string, unknown>);
  return typeof kind === 'string' ? noForm(`an object of kind '${kind}'`) : kind.toJson(value, toJson);
}

/** An object with a key that JSON text cannot hold as it is becomes a list of entries. */
function propertiesToJson(value: Record<string, unknown>): unknown {
  const entries = Object.entries(value);
  if (!entries.every(([key]) => isPlainKey(key))) {
    return tagged(
      'Object',
      entries.map(([key, child]) => [toJson(key), toJson(child)]),
    );
  }
  // `fromEntries` defines properties, so the key `__proto__` reaches no setter.
  return Object.fromEntries(entries.map(([key, child]) => [key, toJson(child)]));
}

function noForm(what: string): never {
  throw new PayloadError('payload', `${what} cannot be written as text; only data from the codec can be`);
}

/** Changes the value in place: `JSON.parse` has created it, so no other code uses it. */
function fromJson(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) {
    for (let index = 0; index < json.length; index++) json[index] = fromJson(json[index]);
    return json;
  }
  if (Object.hasOwn(json, TAG)) return untagged(json as Tagged);
  const object = json as Record<string, unknown>;
  // `__proto__` is an own property already, so the assignment reaches no setter.
  for (const key of Object.keys(object)) object[key] = fromJson(object[key]);
  return object;
}

function untagged(json: Tagged): unknown {
  if (json[TAG] === 'Object') return objectFrom(json);
  const kind = kindOfType(json[TAG]);
  return kind === undefined ? invalid(json) : kind.fromJson(json, fromJson);
}

function objectFrom(json: Tagged): Record<string, unknown> {
  const pairs = pairsIn(json, fromJson);
  if (!pairs.every((pair): pair is [string, unknown] => typeof pair[0] === 'string')) return invalid(json);
  return Object.fromEntries(pairs);
}
