import { Logger } from '@nestjs/common';
import { Observable, type Observer, Subject, type Subscription } from 'rxjs';
import type { FlowrraEvent } from '../job/events.js';
import { printed } from '../job/printed.js';

/**
 * An Observable that logs the errors of its subscribers. rxjs throws an error of a subscriber, or an
 * unhandled error, in a timer, which would end the process.
 */
class GuardedObservable<T> extends Observable<T> {
  private readonly logger = new Logger('FlowrraEvents');

  /** Operators call `lift`, so that the Observables they return are guarded as well. */
  override lift<R>(operator?: Parameters<Observable<T>['lift']>[0]): Observable<R> {
    const lifted = new GuardedObservable<R>();
    lifted.source = this;
    lifted.operator = operator as typeof lifted.operator;
    return lifted;
  }

  override subscribe(
    observer?: Partial<Observer<T>> | ((value: T) => void) | null,
    ..._deprecated: unknown[]
  ): Subscription {
    // rxjs's operators subscribe with a Subscriber, which forwards errors itself.
    if (isSubscriber(observer)) return super.subscribe(observer as Observer<T>);
    const given = typeof observer === 'function' ? { next: observer } : (observer ?? {});
    return super.subscribe({
      next: (value) => this.guard(() => given.next?.(value)),
      error: (error) => this.guard(() => (given.error ? given.error(error) : this.report(error))),
      complete: () => this.guard(() => given.complete?.()),
    });
  }

  private guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.report(error);
    }
  }

  private report(error: unknown): void {
    this.logger.error(
      `A subscriber of events$ failed: ${printed(error)}`,
      error instanceof Error ? error.stack : undefined,
    );
  }
}

function isSubscriber(observer: unknown): observer is Observer<never> {
  return typeof observer === 'object' && observer !== null && 'closed' in observer && 'add' in observer;
}

/** Emits the events of the application. Check `observed` before creating an event: often there is no subscriber. */
export class EventHub {
  private readonly subject = new Subject<FlowrraEvent>();
  private readonly own = new Subject<FlowrraEvent>();
  readonly events$: Observable<FlowrraEvent> = new GuardedObservable<FlowrraEvent>((subscriber) =>
    this.subject.subscribe(subscriber),
  );
  /** Without the events of other processes, which count their own. */
  readonly own$: Observable<FlowrraEvent> = new GuardedObservable<FlowrraEvent>((subscriber) =>
    this.own.subscribe(subscriber),
  );

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
  }

  complete(): void {
    this.own.complete();
    this.subject.complete();
  }
}
