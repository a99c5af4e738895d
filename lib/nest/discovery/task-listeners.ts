import { Logger } from '@nestjs/common';
import { FlowrraConfigError } from '../../job/errors.js';
import type { EventHub } from '../../run/event-hub.js';
import type { FlowrraEvent } from '../../job/events.js';
import { describeMember } from '../decorators/task-metadata.js';
import { type Listening, listeningsOf, type TaskEventType } from '../decorators/on-task.decorator.js';
import { type ProviderHost, servesAll, type TaskExplorer } from './task-explorer.js';
import { printed } from '../../job/show-value.js';

interface Listener extends Listening {
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

  /** Finds listeners that have come since the last time. As long as there are none, nobody listens. */
  discover(): void {
    const before = this.byType.size;
    for (const host of this.explorer.providers()) {
      if (this.known.has(host.prototype)) continue;
      const listenings = listeningsOf(host.prototype);
      if (listenings.length === 0) continue;
      this.known.add(host.prototype);
      for (const listening of listenings) this.add(listenerOf(host, listening));
    }
    if (before === 0 && this.byType.size > 0) this.hub.events$.subscribe((event) => this.tell(event));
  }

  private add(listener: Listener): void {
    for (const type of listener.types) {
      const listeners = this.byType.get(type);
      if (listeners) listeners.push(listener);
      else this.byType.set(type, [listener]);
    }
  }

  private tell(event: FlowrraEvent): void {
    for (const listener of this.byType.get(event.type) ?? []) {
      const { tasks, queues } = listener;
      if (tasks !== null && !tasks.has(event.taskName)) continue;
      if (queues !== null && !queues.has(event.queue)) continue;
      // In an async function, so that one that throws at once is a rejection as well.
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

function listenerOf({ wrapper, prototype, module }: ProviderHost, listening: Listening): Listener {
  const name = `${describeMember(prototype, listening.key)} in ${module.name}`;
  if (!servesAll(wrapper)) {
    throw new FlowrraConfigError(
      `${name} has @OnTask(), and its provider is request-scoped or transient: there is no instance of it to call when something happens. Put the method on a provider of the default scope.`,
    );
  }
  const instance = wrapper.instance as Record<string, (event: FlowrraEvent) => unknown>;
  return { ...listening, name, call: (event) => instance[listening.key]?.(event) };
}
