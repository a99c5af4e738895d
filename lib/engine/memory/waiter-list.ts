import type { Waiter } from '../../results/wait-until.js';

/** Hundreds of thousands may wait, so a waiter is only a `resolve` function. One waiter is stored without an array. */
export type WaiterList = Waiter | Waiter[] | null;

export function withWaiter(list: WaiterList, waiter: Waiter): WaiterList {
  if (list === null) return waiter;
  if (typeof list === 'function') return [list, waiter];
  list.push(waiter);
  return list;
}

export function withoutWaiter(list: WaiterList, waiter: Waiter): WaiterList {
  if (list === waiter) return null;
  return Array.isArray(list) ? list.filter((other) => other !== waiter) : list;
}

export function waitersOf(list: WaiterList): readonly Waiter[] {
  if (list === null) return [];
  return typeof list === 'function' ? [list] : list;
}
