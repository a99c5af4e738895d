import 'reflect-metadata';
import type { FlowrraEvent } from '../../job/events.js';
import { FlowrraConfigError } from '../../job/errors.js';
import { suggest, wrong } from '../../job/check.js';
import { OptionTable, type Rule, type RulesOf } from '../../job/rules.js';
import { describeMember } from './task-metadata.js';

/** The types of events: `'submitted'`, `'started'`, `'failed'`, … */
export type TaskEventType = FlowrraEvent['type'];

/** The event of one type: `TaskEvent<'failed'>` has an `error`. */
export type TaskEvent<T extends TaskEventType = TaskEventType> = Extract<FlowrraEvent, { readonly type: T }>;

/** Selects the events of a listener. */
export interface OnTaskFilter {
  /**
   * The name of a task, or several.
   *
   * @defaultValue all tasks
   */
  task?: string | readonly string[];
  /**
   * The name of a queue, or several.
   *
   * @defaultValue all queues
   */
  queue?: string | readonly string[];
}

/** The metadata of one `@OnTask()`. */
export interface Subscription {
  readonly key: string;
  readonly types: ReadonlySet<TaskEventType>;
  /** `null` for all. */
  readonly tasks: ReadonlySet<string> | null;
  readonly queues: ReadonlySet<string> | null;
}

const LISTENERS = Symbol.for('flowrra:listeners');

/** All types, to find misspelt ones. The compiler rejects a list that lacks one. */
const TYPES = Object.keys({
  submitted: true,
  deduplicated: true,
  started: true,
  progress: true,
  log: true,
  succeeded: true,
  failed: true,
  retrying: true,
  snoozed: true,
  suspended: true,
  resumed: true,
  stepFinished: true,
  signalled: true,
  released: true,
  cancelled: true,
  scheduled: true,
  occurrenceSkipped: true,
  requeued: true,
  redriven: true,
} satisfies Record<TaskEventType, true>);

const names: Rule<ReadonlySet<string> | null> = (value, path) => {
  if (value === undefined) return null;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  for (const name of list)
    if (typeof name !== 'string') throw wrong(path, name, 'It must be a name, or an array of names.');
  return new Set(list as string[]);
};

const FILTER_RULES = new OptionTable({ task: names, queue: names } satisfies RulesOf<OnTaskFilter>);

/**
 * Calls a method of a provider or controller with each event of one type or several: `@OnTask('failed')`. The
 * events are those of `events$`. An error of the method is logged and has no other effect.
 *
 * @throws {FlowrraConfigError} when the class is defined: if the decorated member is not an instance method, or if
 *   a type or a filter option is invalid.
 */
export function OnTask<T extends TaskEventType>(type: T | readonly T[], filter: OnTaskFilter = {}) {
  return <M extends (event: TaskEvent<T>) => unknown>(
    target: object,
    key: string,
    descriptor: TypedPropertyDescriptor<M>,
  ): void => {
    const where = `@OnTask() on ${describeMember(target, key)}`;
    if (typeof target === 'function' || typeof descriptor?.value !== 'function')
      throw new FlowrraConfigError(`${where}: the decorated member must be an instance method.`);
    const { task: tasks, queue: queues } = FILTER_RULES.resolve(filter, where, `${where}, `);
    const subscription: Subscription = { key, types: new Set(typesOf(type, where)), tasks, queues };
    Reflect.defineMetadata(LISTENERS, [...ownSubscriptions(target), subscription], target);
  };
}

/** The subscriptions of a class and of its ancestors, including those of overridden methods. */
export function subscriptionsOf(prototype: object): readonly Subscription[] {
  const found: Subscription[] = [];
  for (let level = prototype; level && level !== Object.prototype; level = Object.getPrototypeOf(level))
    found.push(...ownSubscriptions(level));
  return found;
}

function ownSubscriptions(prototype: object): readonly Subscription[] {
  return (Reflect.getOwnMetadata(LISTENERS, prototype) as Subscription[] | undefined) ?? [];
}

function typesOf<T extends TaskEventType>(type: T | readonly T[], where: string): readonly T[] {
  const types: readonly T[] = typeof type === 'string' ? [type] : type;
  if (!Array.isArray(types) || types.length === 0)
    throw wrong(where, type, `Name one type of events, or several. Known: ${TYPES.join(', ')}.`);
  for (const each of types) if (!TYPES.includes(each)) throw wrong(where, each, suggest(each, TYPES));
  return types;
}
