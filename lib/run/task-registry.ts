import { FlowrraConfigError, TaskNotFoundError } from '../job/errors.js';
import { DEFAULT_QUEUE } from '../job/queue.js';
import type { DeclaredSchedule } from './schedules/declarations.js';
import type { TaskTags } from '../job/tags.js';
import type { TaskDefinition } from './task-definition.js';

/** A task that can be submitted: it runs here or in another application. */
export interface TaskRoute {
  readonly name: string;
  readonly queue: string;
  /** Checks arguments before they are accepted. */
  readonly validate?: ((args: unknown[]) => Promise<void>) | null;
  /** Present for a task that runs here. */
  readonly policy?: { readonly expires: number };
  readonly tags?: TaskTags | undefined;
}

/** A task that runs here, and the functions by which it is submitted. */
export interface TaskRegistration {
  readonly definition: TaskDefinition;
  /** For errors: `EmailTasks.sendWelcome in MailModule`. */
  readonly origin: string;
  /** The functions of the task, such as the method of the prototype and that of the instance. */
  readonly functions: readonly unknown[];
}

/** The tasks of one application, by name, by function, and by class and method. */
export class TaskRegistry {
  private readonly byName = new Map<string, TaskRegistration>();
  private readonly byFunction = new Map<unknown, TaskRegistration[]>();
  private readonly byClass = new Map<unknown, ReadonlyMap<string, TaskRoute>>();
  private readonly schedulesByName = new Map<string, DeclaredSchedule>();

  /** @param passOn Whether any other name may be submitted: in a thread, the parent checks it. */
  constructor(
    private readonly remote: ReadonlyMap<string, { readonly queue: string }>,
    private readonly passOn = false,
  ) {}

  /** @throws {FlowrraConfigError} if the name is taken. */
  add(registration: TaskRegistration): void {
    const { definition, origin, functions } = registration;
    const taken = this.byName.get(definition.name);
    if (taken !== undefined) {
      throw new FlowrraConfigError(
        `Two tasks are called '${definition.name}': ${taken.origin} and ${origin}. Give one of them another name: @Task({ name: '…' }).`,
      );
    }
    this.byName.set(definition.name, registration);
    for (const fn of new Set(functions)) {
      const sharing = this.byFunction.get(fn);
      if (sharing) sharing.push(registration);
      else this.byFunction.set(fn, [registration]);
    }
  }

  /** Adds the tasks of a provider, for `tasks(token)`. */
  addClass(token: unknown, tasks: ReadonlyMap<string, TaskRoute>): void {
    this.byClass.set(token, tasks);
  }

  /** @throws {FlowrraConfigError} if the name is taken. */
  addSchedule(schedule: DeclaredSchedule): void {
    const { name, taskName } = schedule;
    const taken = this.schedulesByName.get(name);
    if (taken !== undefined)
      throw new FlowrraConfigError(
        `Two schedules are called '${name}': of the tasks '${taken.taskName}' and '${taskName}'. Give one of them another name: @Cron('…', { name: '…' }).`,
      );
    this.schedulesByName.set(name, schedule);
  }

  /** The schedules of decorators. */
  get schedules(): readonly DeclaredSchedule[] {
    return [...this.schedulesByName.values()];
  }

  hasClass(token: unknown): boolean {
    return this.byClass.has(token);
  }

  definition(name: string): TaskDefinition | undefined {
    return this.byName.get(name)?.definition;
  }

  /** The number of tasks that run here. */
  get taskCount(): number {
    return this.byName.size;
  }

  *definitions(): Iterable<TaskDefinition> {
    for (const { definition } of this.byName.values()) yield definition;
  }

  /**
   * The task of a name or a function.
   *
   * @throws {TaskNotFoundError} if there is none, or more than one.
   */
  route(task: unknown): TaskRoute {
    return typeof task === 'string' ? this.routeByName(task) : this.routeByFunction(task);
  }

  /** @throws {FlowrraConfigError} for a name that no task has. */
  checkNames(names: Iterable<string>): void {
    for (const name of names) {
      if (this.byName.has(name) || this.remote.has(name) || this.passOn) continue;
      throw new FlowrraConfigError(`forRoot({ tasks }): no task is called '${name}'. ${this.known()}`);
    }
  }

  /** @throws {FlowrraConfigError} if the dead letter handler of a task is unknown, or handlers form a circle. */
  checkDeadLetters(): void {
    for (const { name, policy } of this.definitions()) {
      const handler = policy.deadLetter;
      this.rejectCircle(name);
      if (handler === null || this.byName.has(handler) || this.remote.has(handler) || this.passOn) continue;
      throw new FlowrraConfigError(
        `Task '${name}', deadLetter: no task is called '${handler}'. ${this.known()} If another application runs it, declare it: forRoot({ remoteTasks: { '${handler}': {} } }).`,
      );
    }
  }

  /** In a circle a failing job would be sent on without end. A handler is never sent its own failures. */
  private rejectCircle(first: string): void {
    const seen = [first];
    for (let name = first; ;) {
      const next = this.definition(name)?.policy.deadLetter ?? null;
      if (next === null || next === name) return;
      if (seen.includes(next))
        throw new FlowrraConfigError(
          `deadLetter: ${[...seen, next].join(' → ')} is a circle. Give one of them deadLetter: null.`,
        );
      seen.push((name = next));
    }
  }

  /** @throws {TaskNotFoundError} if the class has no tasks here. */
  tasksOf(token: unknown): ReadonlyMap<string, TaskRoute> {
    const tasks = this.byClass.get(token);
    if (tasks) return tasks;
    throw new TaskNotFoundError(
      `${nameOf(token)} has no tasks in this application. Add it to the providers of a module, and @Task() to its methods; submit a task of another application by its name.`,
    );
  }

  /** @throws {TaskNotFoundError} if the class has no such task here. */
  routeOf(token: unknown, key: string): TaskRoute {
    const tasks = this.tasksOf(token);
    const route = tasks.get(key);
    if (route) return route;
    const name = nameOf(token);
    throw new TaskNotFoundError(
      `${name}.${key} is no task. Tasks of ${name}: ${[...tasks.keys()].join(', ')}.`,
    );
  }

  private routeByName(name: string): TaskRoute {
    const found = this.byName.get(name)?.definition;
    if (found) return found;
    const remote = this.remote.get(name);
    if (remote) return { name, queue: remote.queue };
    if (this.passOn) return { name, queue: DEFAULT_QUEUE };
    throw new TaskNotFoundError(
      `No task is called '${name}'. ${this.known()} If another application runs it, declare it: forRoot({ remoteTasks: { '${name}': {} } }).`,
    );
  }

  private routeByFunction(task: unknown): TaskRoute {
    const [only, another] = this.byFunction.get(task) ?? [];
    if (only && !another) return only.definition;
    if (only && another) {
      throw new TaskNotFoundError(
        `The function ${nameOf(task)} is shared by ${only.origin} and ${another.origin}, so the task is ambiguous. Submit through the class, flowrra.tasks(TheClass).${nameOf(task)}(…), or by its name.`,
      );
    }
    if (typeof task !== 'function') {
      throw new TaskNotFoundError(
        task instanceof Promise
          ? 'A promise is no task: the method was called. Give the method itself, such as this.emails.sendWelcome, and its arguments behind it.'
          : `${String(task)} is no task. Give a task's method, such as this.emails.sendWelcome, or its name.`,
      );
    }
    throw new TaskNotFoundError(unknownFunction(nameOf(task)));
  }

  private known(): string {
    const names = [...this.byName.keys(), ...this.remote.keys()];
    return names.length === 0
      ? 'This application has no tasks.'
      : `Known: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : '.'}`;
  }
}

function unknownFunction(name: string): string {
  if (name.startsWith('bound ')) {
    const method = name.slice('bound '.length);
    return `${name} is a bound copy of a method, so its task is unknown. Pass the method itself, or submit through the class: flowrra.tasks(TheClass).${method}(…).`;
  }
  return `The function ${name} is no task of this application. If it is a task's method that was bound, wrapped or spied on after the start, submit through the class: flowrra.tasks(TheClass).method(…). Otherwise add @Task() to it, or register() it.`;
}

function nameOf(value: unknown): string {
  return (typeof value === 'function' && value.name) || String(value);
}
