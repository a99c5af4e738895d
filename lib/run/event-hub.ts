import { type Observable, Subject } from 'rxjs';
import type { FlowrraEvent } from '../job/events.js';
import { GuardedObservable } from './guarded-observable.js';

/** Emits the events of the application. Check `observed` before creating an event: often there is no subscriber. */
export class EventHub {
  private readonly subject = new Subject<FlowrraEvent>();
  private readonly own = new Subject<FlowrraEvent>();
  readonly events$: Observable<FlowrraEvent> = new GuardedObservable('events$', (subscriber) =>
    this.subject.subscribe(subscriber),
  );
  /** Without the events of other processes, which count their own. */
  readonly own$: Observable<FlowrraEvent> = new GuardedObservable('events$', (subscriber) =>
    this.own.subscribe(subscriber),
  );
  /** Called for each change of a watched job. */
  private readonly watched = new Map<string, () => void>();

  get observed(): boolean {
    return this.subject.observed || this.own.observed;
  }

  emit(event: FlowrraEvent): void {
    this.own.next(event);
    this.subject.next(event);
  }

  /** Emits an event of another process. */
  emitRemote(event: FlowrraEvent): void {
    this.subject.next(event);
    this.changed(event.taskId);
  }

  /**
   * Calls `changed` when a change of the job that this process has made is stored, and when one of another process
   * is reported. Returns a function that ends this. One watch for each job.
   */
  watch(taskId: string, changed: () => void): () => void {
    this.watched.set(taskId, changed);
    return () => void this.watched.delete(taskId);
  }

  /** A change of a job is stored. */
  changed(taskId: string): void {
    if (this.watched.size > 0) this.watched.get(taskId)?.();
  }

  complete(): void {
    this.own.complete();
    this.subject.complete();
  }
}
