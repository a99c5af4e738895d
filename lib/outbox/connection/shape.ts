/**
 * Reads a property, or a property of a property, of a foreign value; `undefined` if there is none. A getter that throws
 * counts as absent: values of every kind are probed, and a probe must not throw.
 */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if ((typeof found !== 'object' || found === null) && typeof found !== 'function') return undefined;
    try {
      found = (found as Record<string, unknown>)[key];
    } catch {
      return undefined;
    }
  }
  return found;
}

/**
 * Whether the value, an object or a function, has all these methods. The type parameter is the caller's description of
 * the library's object; only the names are checked.
 */
export function looksLike<T extends object>(
  value: unknown,
  ...methods: readonly (keyof T & string)[]
): value is T {
  return methods.every((name) => typeof at(value, name) === 'function');
}
