import type { MessageEvent } from '@nestjs/common';
import { Observable } from 'rxjs';
import { ExecutorNotRunningError } from '../job/errors.js';
import type { TaskUpdate } from '../job/task-update.js';

/**
 * Makes server-sent events of the updates of a job, for a handler with Nest's `@Sse()`:
 * `return flowrra.watch(taskId).pipe(toMessageEvents)`. The `data` of each event is an update.
 *
 * If Flowrra stops after the first update, the stream completes and does not fail: the browser connects again, to
 * another process or to this one after its start, and gets the present state.
 */
export function toMessageEvents(updates: Observable<TaskUpdate>): Observable<MessageEvent> {
  return new Observable<MessageEvent>((subscriber) => {
    let hasBegun = false;
    return updates.subscribe({
      next(update) {
        hasBegun = true;
        subscriber.next({ data: update });
      },
      error(error: unknown) {
        if (hasBegun && error instanceof ExecutorNotRunningError) subscriber.complete();
        else subscriber.error(error);
      },
      complete: () => subscriber.complete(),
    });
  });
}
