import type { Schedule } from './schedule.js';

/** Checks of the members without which a schedule cannot be handled. */
const CHECKS: { readonly [K in keyof Schedule]: (value: Schedule[K]) => boolean } = {
  name: isText,
  taskName: isText,
  queue: isText,
  args: isText,
  rule: (rule) =>
    isObject(rule) &&
    isObject(rule.timing) &&
    isTime(rule.start) &&
    isTime(rule.end) &&
    Number.isSafeInteger(rule.jitter),
  declared: (declared) => declared === null || (isTime(declared.at) && isTime(declared.seenAt)),
  orphaned: (orphaned) => typeof orphaned === 'boolean',
  nextRun: isTime,
  submitting: Array.isArray,
  waiting: (waiting) => waiting === null || isObject(waiting),
  paused: (paused) => paused === null || isObject(paused),
  lastTaskId: (taskId) => taskId === null || isText(taskId),
  lastWorker: (worker) => worker === null || isText(worker),
  counts: isObject,
  history: Array.isArray,
};

/**
 * Reads a stored schedule. `null` for a text that another program or another version of Flowrra has written: one such
 * text must not stop the other schedules.
 */
export function scheduleFromText(name: string, text: string): Schedule | null {
  try {
    const found = JSON.parse(text) as Schedule;
    for (const key of Object.keys(CHECKS) as (keyof Schedule)[])
      if (!(CHECKS[key] as (value: unknown) => boolean)(found[key])) return null;
    return found.name === name ? found : null;
  } catch {
    return null;
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function isTime(value: unknown): boolean {
  return value === null || Number.isSafeInteger(value);
}
