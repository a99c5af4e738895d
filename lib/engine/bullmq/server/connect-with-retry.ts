import { setTimeout as pause } from 'node:timers/promises';
import { EngineError, ExecutorNotRunningError, FlowrraError } from '../../../job/errors.js';
import type { BullServer } from './bull-server.js';
import type { ResolvedBullMqOptions } from '../bullmq-options.js';
import { Patience } from './io-time.js';
import { discreet, isOutage, messageOf, type Trouble } from './outage-log.js';

const BETWEEN_TRIES_MS = 500;
/** A start may take so many times as long as a submission: it may bring tables up to date. */
const TIMES_AS_LONG = 6;

/**
 * Takes a step of the start, once or, with `whenUnreachable: 'wait'`, until the server lets it succeed.
 *
 * @param step Leaves nothing behind when it fails.
 * @throws {EngineError} if the server is out of reach. {@link ExecutorNotRunningError} if `closing` comes first.
 */
export async function reach<T>(
  server: BullServer,
  { submitTimeout, whenUnreachable }: ResolvedBullMqOptions,
  trouble: Trouble,
  closing: AbortSignal,
  step: () => Promise<T>,
): Promise<T> {
  const patience = new Patience(TIMES_AS_LONG * submitTimeout);
  const closed = new Promise<never>((_resolve, reject) => {
    const refuse = (): void => reject(notAnyMore());
    if (closing.aborted) refuse();
    else closing.addEventListener('abort', refuse, { once: true });
  });
  closed.catch(() => undefined);
  for (;;) {
    const answer = await Promise.race([patience.with(step()), closed]).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    if ('value' in answer) return answer.value;
    const { error } = answer;
    if (error instanceof FlowrraError) throw error;
    const passes = isOutage(server, error);
    if (whenUnreachable === 'fail' || !passes) throw unusable(server, error, passes);
    trouble.waiting(error);
    await Promise.race([pause(BETWEEN_TRIES_MS), closed]);
  }
}

function notAnyMore(): Error {
  return new ExecutorNotRunningError('The application was closed while it waited for its engine.');
}

function unusable({ name }: BullServer, cause: unknown, passes: boolean): EngineError {
  const advice = passes
    ? "Is the server running, and is the connection right? whenUnreachable: 'wait' waits for it."
    : 'The server has answered, so waiting will not help: see to the connection, and to its user and password.';
  return new EngineError(`${name} cannot be used: ${messageOf(cause)}. ${advice}`, {
    cause: discreet(cause),
  });
}
