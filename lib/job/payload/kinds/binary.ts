import { types } from 'node:util';
import { type PayloadKind, type Tagged, invalid, tagged, textIn } from './kind.js';

type ViewClass = new (buffer: ArrayBuffer) => ArrayBufferView;

const VIEW_CLASSES: ReadonlyMap<string, ViewClass> = new Map<string, ViewClass>(
  [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    DataView,
    // Only newer versions of Node have it.
    (globalThis as { Float16Array?: ViewClass }).Float16Array,
  ].flatMap((viewClass): [string, ViewClass][] =>
    viewClass ? [[viewClass.name, viewClass as ViewClass]] : [],
  ),
);

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Reads the internal slot, so a subclass cannot change the answer; `undefined` for a `DataView`. */
const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

/** `Buffer`, `DataView` and typed arrays. A copy of a subclass is of the built-in class. */
export const VIEW: PayloadKind<ArrayBufferView> = {
  types: ['Buffer', ...VIEW_CLASSES.keys()],
  is: ArrayBuffer.isView,
  problem: (view) =>
    types.isSharedArrayBuffer(view.buffer)
      ? 'a view of a SharedArrayBuffer cannot travel with a job, because a copy would share no memory; pass a copy'
      : null,
  size: (view) => view.byteLength,
  copy: (view) => {
    const name = nameOf(view);
    const copy = viewFrom(name, bytesOf(view));
    if (copy === undefined) throw new TypeError(`${name} is unknown to this version of Flowrra`);
    return copy;
  },
  toJson: (view) => tagged(nameOf(view), base64(bytesOf(view))),
  fromJson: (json) => viewFrom(json.$type, bytesIn(json)) ?? invalid(json),
  view: (view, inner) => {
    if (Buffer.isBuffer(view)) return view.toString('base64');
    return view instanceof DataView ? [] : Array.from(view as Uint8Array, inner);
  },
};

export const ARRAY_BUFFER: PayloadKind<ArrayBuffer> = {
  types: ['ArrayBuffer'],
  is: types.isArrayBuffer,
  size: (buffer) => buffer.byteLength,
  copy: (buffer) => copyBytes(new Uint8Array(buffer)),
  toJson: (buffer) => tagged('ArrayBuffer', base64(new Uint8Array(buffer))),
  fromJson: (json) => copyBytes(bytesIn(json)),
  view: (buffer) => base64(new Uint8Array(buffer)),
};

/** `Buffer`, `DataView` or the name of the typed array's built-in class. */
function nameOf(view: ArrayBufferView): string {
  return Buffer.isBuffer(view) ? 'Buffer' : (typedArrayName.call(view) ?? 'DataView');
}

/** A view of the named class over a copy of `bytes`, or `undefined` if there is no such class. */
function viewFrom(name: string, bytes: Uint8Array): ArrayBufferView | undefined {
  if (name === 'Buffer') {
    // Not `Buffer.from`: a small buffer would lie in a pool that is shared with unrelated buffers.
    const copy = Buffer.allocUnsafeSlow(bytes.length);
    copy.set(bytes);
    return copy;
  }
  const viewClass = VIEW_CLASSES.get(name);
  return viewClass && new viewClass(copyBytes(bytes));
}

/** The bytes of a view, not copied. */
function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function copyBytes(bytes: Uint8Array): ArrayBuffer {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy.buffer;
}

function bytesIn(json: Tagged): Uint8Array {
  const text = textIn(json);
  return text.length % 4 === 0 && BASE64.test(text) ? Buffer.from(text, 'base64') : invalid(json);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
