/** Sets an own property like an assignment, but even one called `__proto__` reaches no setter. */
export function setOwn(target: object, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}
