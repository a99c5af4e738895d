import { Logger } from '@nestjs/common';
import { Observable, type Observer, type Subscriber, type Subscription, type TeardownLogic } from 'rxjs';
import { printed } from '../job/show-value.js';

/**
 * An Observable that logs the errors of its subscribers. rxjs throws an error of a subscriber, or an
 * unhandled error, in a timer, which would end the process.
 */
export class GuardedObservable<T> extends Observable<T> {
  private readonly logger = new Logger('FlowrraEvents');

  /** @param title Names the Observable in logs. */
  constructor(
    private readonly title: string,
    subscribe?: (subscriber: Subscriber<T>) => TeardownLogic,
  ) {
    super(subscribe);
  }

  /** Operators call `lift`, so that the Observables they return are guarded as well. */
  override lift<R>(operator?: Parameters<Observable<T>['lift']>[0]): Observable<R> {
    const lifted = new GuardedObservable<R>(this.title);
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
      `A subscriber of ${this.title} failed: ${printed(error)}`,
      error instanceof Error ? error.stack : undefined,
    );
  }
}

function isSubscriber(observer: unknown): observer is Observer<never> {
  return typeof observer === 'object' && observer !== null && 'closed' in observer && 'add' in observer;
}
