import { Logger } from '@nestjs/common';
import { FlowrraConfigError } from '../../job/errors.js';
import type { EventHub } from '../../run/event-hub.js';
import type { FlowrraEvent } from '../../job/events.js';
import { type Subscription, subscriptionsOf, type TaskEventType } from '../decorators/on-task.decorator.js';
import { isShared } from '../nest-internals.js';
import { originOf, type ProviderHost, type TaskExplorer } from './task-explorer.js';
import { printed } from '../../job/show-value.js';

interface Listener extends Subscription {
  readonly name: string;
  call(event: FlowrraEvent): unknown;
}

/** Calls the `@OnTask()` methods of an application's providers. */
export class TaskListeners {
  private readonly logger = new Logger('FlowrraEvents');
  private readonly known = new Set<object>();
  private readonly byType = new Map<TaskEventType, Listener[]>();

  constructor(
    private readonly explorer: TaskExplorer,
    private readonly hub: EventHub,
  ) {}

  /** Adds the listeners that were not found before. Subscribes to the events with the first listener. */
  discover(): void {
    const before = this.byType.size;
    for (const host of this.explorer.providers()) {
      if (this.known.has(host.prototype)) continue;
      const subscriptions = subscriptionsOf(host.prototype);
      if (subscriptions.length === 0) continue;
      this.known.add(host.prototype);
      for (const subscription of subscriptions) this.add(listenerOf(host, subscription));
    }
    if (before === 0 && this.byType.size > 0) this.hub.events$.subscribe((event) => this.notify(event));
  }

  private add(listener: Listener): void {
    for (const type of listener.types) {
      const listeners = this.byType.get(type);
      if (listeners) listeners.push(listener);
      else this.byType.set(type, [listener]);
    }
  }

  private notify(event: FlowrraEvent): void {
    for (const listener of this.byType.get(event.type) ?? []) {
      const { tasks, queues } = listener;
      if (tasks !== null && !tasks.has(event.taskName)) continue;
      if (queues !== null && !queues.has(event.queue)) continue;
      // In an async function, so that a synchronous throw becomes a rejection.
      (async () => listener.call(event))().catch((error: unknown) => this.report(listener, error));
    }
  }

  private report({ name }: Listener, error: unknown): void {
    this.logger.error(
      `The listener ${name} failed: ${printed(error)}`,
      error instanceof Error ? error.stack : undefined,
    );
  }
}

function listenerOf(host: ProviderHost, subscription: Subscription): Listener {
  const { wrapper } = host;
  const { key } = subscription;
  const name = originOf(host, key);
  if (!isShared(wrapper)) {
    throw new FlowrraConfigError(
      `${name} has @OnTask(), but its provider is request-scoped or transient, so an event has no instance to call. Put the method on a provider of the default scope.`,
    );
  }
  const instance = wrapper.instance as Record<string, (event: FlowrraEvent) => unknown>;
  return { ...subscription, name, call: (event) => instance[key]?.(event) };
}
