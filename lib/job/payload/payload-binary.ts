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

/** Answers from the internal slot, whatever a subclass says of itself; `undefined` for a `DataView`. */
const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

/** `Buffer`, `DataView` or the name of the typed array's built-in class. */
export function viewNameOf(view: ArrayBufferView): string {
  return Buffer.isBuffer(view) ? 'Buffer' : (typedArrayName.call(view) ?? 'DataView');
}

/** The bytes that a view shows, not copied. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** A copy with memory of its own; a subclass becomes the built-in class it extends. */
export function copyView(view: ArrayBufferView): ArrayBufferView {
  const name = viewNameOf(view);
  const copy = viewFrom(name, bytesOf(view));
  if (copy === undefined) throw new TypeError(`${name} is unknown to this version of Flowrra`);
  return copy;
}

/** A view of the named class over a copy of `bytes`, or `undefined` if there is no such class. */
export function viewFrom(name: string, bytes: Uint8Array): ArrayBufferView | undefined {
  if (name === 'Buffer') {
    // Not `Buffer.from`: small ones would lie in a pool that is shared with unrelated buffers.
    const copy = Buffer.allocUnsafeSlow(bytes.length);
    copy.set(bytes);
    return copy;
  }
  const viewClass = VIEW_CLASSES.get(name);
  return viewClass && new viewClass(copyBytes(bytes));
}

/** The same bytes in an `ArrayBuffer` of their own. */
export function copyBytes(bytes: Uint8Array): ArrayBuffer {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy.buffer;
}
