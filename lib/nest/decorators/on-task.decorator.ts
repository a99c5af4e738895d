import 'reflect-metadata';
import type { FlowrraEvent } from '../../job/events.js';
import { FlowrraConfigError } from '../../job/errors.js';
import { checkKeys, keysOf, suggest, wrong } from '../../job/check.js';
import { describeMember } from './task-metadata.js';

/** The types of events: `'submitted'`, `'started'`, `'failed'`, … */
export type TaskEventType = FlowrraEvent['type'];

/** The event of one type: `TaskEvent<'failed'>` has an `error`. */
export type TaskEvent<T extends TaskEventType = TaskEventType> = Extract<FlowrraEvent, { readonly type: T }>;

/** Which events a listener is for. Default: those of every job. */
export interface OnTaskFilter {
  /** The name of the task, or of several. */
  task?: string | readonly string[];
  /** The name of the queue, or of several. */
  queue?: string | readonly string[];
}

/** What `@OnTask()` notes about a method. */
export interface Listening {
  readonly key: string;
  readonly types: ReadonlySet<TaskEventType>;
  /** `null` for all. */
  readonly tasks: ReadonlySet<string> | null;
  readonly queues: ReadonlySet<string> | null;
}

const LISTENERS = Symbol.for('flowrra:listeners');
const FILTER_KEYS = keysOf<OnTaskFilter>({ task: true, queue: true });

/** Every type, so that one that is misspelt is found. The compiler sees to it that none is missing. */
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
  released: true,
  cancelled: true,
  requeued: true,
  redriven: true,
} satisfies Record<TaskEventType, true>);

/**
 * Calls a method of a provider or controller with each event of a type, or of several: `@OnTask('failed')`.
 * It hears what `events$` tells. What it throws, or rejects with, is logged and disturbs nobody.
 *
 * @throws {FlowrraConfigError} while the class is defined, if it stands on anything but a method, or listens for nothing.
 */
export function OnTask<T extends TaskEventType>(type: T | readonly T[], filter: OnTaskFilter = {}) {
  return <M extends (event: TaskEvent<T>) => unknown>(
    target: object,
    key: string,
    descriptor: TypedPropertyDescriptor<M>,
  ): void => {
    const where = `@OnTask() on ${describeMember(target, key)}`;
    if (typeof target === 'function' || typeof descriptor?.value !== 'function')
      throw new FlowrraConfigError(`${where}: it belongs on a method that is not static.`);
    checkKeys(filter, FILTER_KEYS, where);
    const listening: Listening = {
      key,
      types: new Set(typesOf(type, where)),
      tasks: namesOf(filter.task, `${where}, task`),
      queues: namesOf(filter.queue, `${where}, queue`),
    };
    const known = (Reflect.getOwnMetadata(LISTENERS, target) as Listening[] | undefined) ?? [];
    Reflect.defineMetadata(LISTENERS, [...known, listening], target);
  };
}

/** What the methods of a class listen for, its ancestors' included; a method that a subclass overrides keeps listening. */
export function listeningsOf(prototype: object): readonly Listening[] {
  const found: Listening[] = [];
  for (let level = prototype; level && level !== Object.prototype; level = Object.getPrototypeOf(level))
    found.push(...((Reflect.getOwnMetadata(LISTENERS, level) as Listening[] | undefined) ?? []));
  return found;
}

function typesOf<T extends TaskEventType>(type: T | readonly T[], where: string): readonly T[] {
  const types: readonly T[] = typeof type === 'string' ? [type] : type;
  if (!Array.isArray(types) || types.length === 0)
    throw wrong(where, type, `Name what to listen for. Known: ${TYPES.join(', ')}.`);
  for (const each of types) if (!TYPES.includes(each)) throw wrong(where, each, suggest(each, TYPES));
  return types;
}

function namesOf(names: unknown, where: string): ReadonlySet<string> | null {
  if (names === undefined) return null;
  const list: unknown[] = Array.isArray(names) ? names : [names];
  for (const name of list)
    if (typeof name !== 'string') throw wrong(where, name, 'It must be a name, or several.');
  return new Set(list as string[]);
}
