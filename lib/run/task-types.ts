import type { Observable } from 'rxjs';

declare const resultOf: unique symbol;
declare const contextMark: unique symbol;

/** The mark of a task's context: a parameter of this type is left out of the arguments that a caller passes. */
export abstract class ContextMark {
  declare protected readonly [contextMark]: true;
}

/**
 * A job's id: an opaque string that carries the type of the job's result, so that
 * `waitForResult(taskId)` knows it.
 */
export type TaskId<R = unknown> = string & { readonly [resultOf]?: R };

/** Any method or function that can be a task. */
export type TaskFunction<A extends readonly unknown[] = never[], R = unknown> = (...args: A) => R;

/** The arguments a caller passes: a task's parameters, without its `TaskContext`. */
export type TaskArgs<A extends readonly unknown[]> = [Extract<A[number], ContextMark>] extends [never]
  ? A
  : A extends readonly [...infer Rest, infer Last]
    ? IsContext<Last> extends true
      ? Rest
      : WithoutContext<A>
    : WithoutContext<A>;

/** Walks element by element, since a plain `infer` loses optional and rest parameters. */
type WithoutContext<A extends readonly unknown[]> = A extends readonly []
  ? []
  : A extends readonly [infer Head, ...infer Tail]
    ? IsContext<Head> extends true
      ? WithoutContext<Tail>
      : [Head, ...WithoutContext<Tail>]
    : A extends readonly [(infer Head)?, ...infer Tail]
      ? number extends A['length']
        ? A
        : IsContext<Head> extends true
          ? WithoutContext<Tail>
          : [Head?, ...WithoutContext<Tail>]
      : A;

/** `any` does not count as a context: a real argument would be lost. */
type IsContext<T> = 0 extends 1 & T
  ? false
  : [NonNullable<T>] extends [never]
    ? false
    : NonNullable<T> extends ContextMark
      ? true
      : false;

/** The type of a task's result after serialization: awaited, an Observable's last value, plain data. */
export type TaskOutput<R> = Awaited<R> extends Observable<infer V> ? Plain<V> | undefined : Plain<Awaited<R>>;

type Atom =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | void
  | Date
  | RegExp
  | URL
  | URLSearchParams
  | Error
  | ArrayBuffer
  | ArrayBufferView;

/** A value after serialization: class instances have become plain data. */
export type Plain<T> = unknown extends T
  ? T
  : T extends Atom
    ? T
    : T extends { toJSON(): infer J }
      ? Plain<J>
      : T extends Map<infer K, infer V>
        ? Map<Plain<K>, Plain<V>>
        : T extends Set<infer V>
          ? Set<Plain<V>>
          : T extends readonly unknown[]
            ? { [K in keyof T]: Plain<T[K]> }
            : T extends (...args: never[]) => unknown
              ? never
              : T extends object
                ? { [K in keyof T as T[K] extends (...args: never[]) => unknown ? never : K]: Plain<T[K]> }
                : T;

/** The names of a class's methods. */
type MethodsOf<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T];

/** The methods of a class as submissions: the type of `flowrra.tasks(EmailTasks)`. */
export type TaskSubmitters<T> = {
  readonly [K in MethodsOf<T>]: T[K] extends (...args: infer A) => infer R
    ? (...args: TaskArgs<A>) => Promise<TaskId<TaskOutput<R>>>
    : never;
};

/**
 * The types of tasks that are submitted by name. Augment it:
 *
 * ```ts
 * declare module 'flowrra' {
 *   interface RemoteTasks { 'EmailTasks.sendWelcome': (to: string, name: string) => { messageId: string } }
 * }
 * ```
 */
export interface RemoteTasks {}

/** A declared name, or any other string. */
export type TaskName = keyof RemoteTasks | (string & {});

/** The arguments of a task submitted by name: checked if the name is declared in {@link RemoteTasks}. */
export type NamedArgs<N extends TaskName> = N extends keyof RemoteTasks
  ? RemoteTasks[N] extends (...args: infer A) => unknown
    ? TaskArgs<A>
    : never
  : unknown[];

/** The result of a task submitted by name: `unknown` unless declared in {@link RemoteTasks}. */
export type NamedOutput<N extends TaskName> = N extends keyof RemoteTasks
  ? RemoteTasks[N] extends (...args: never[]) => infer R
    ? TaskOutput<R>
    : unknown
  : unknown;
