import { setTimeout as pause } from 'node:timers/promises';
import {
  EngineError,
  ExecutorNotRunningError,
  FlowrraConfigError,
  FlowrraError,
} from '../../../job/errors.js';
import { isPostgres, type ResolvedBullMqOptions } from '../bullmq-options.js';
import type { BullServer } from './bull-server.js';
import { isOutage, messageOf, type OutageLog, withoutCommand } from './outage-log.js';
import { SharedTimeout } from './shared-timeout.js';

const BETWEEN_TRIES_MS = 500;
/** A step of the start may create tables: its timeout is this many times `submitTimeout`. */
const TIMES_SUBMIT_TIMEOUT = 6;

/**
 * The server of the option `connection`, by the package that speaks to it. It does not connect yet.
 *
 * @param queues The number of queues of the application.
 * @param onError Called for each error of a connection.
 * @throws {FlowrraConfigError} if the package cannot be loaded.
 */
export async function openServer(
  options: ResolvedBullMqOptions,
  queues: number,
  onError: (error: Error) => void,
): Promise<BullServer> {
  if (isPostgres(options.connection)) {
    const { PostgresServer } = await import('./postgres-server.js');
    const { default: pg } = await importPeer('pg', () => import('pg'));
    return new PostgresServer(pg, options, queues, onError);
  }
  const { RedisServer } = await importPeer('ioredis', () => import('./redis-server.js'));
  return new RedisServer(options, onError);
}

async function importPeer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new FlowrraConfigError(
      `This engine needs the package ${name}, which could not be loaded. Run: npm install ${name}`,
      { cause },
    );
  }
}

/** Runs a step of the start that leaves nothing behind if it fails. */
export type StartStep = <T>(step: () => Promise<T>) => Promise<T>;

/**
 * Runs each step once or, with `whenUnreachable: 'wait'`, again until the server is reachable.
 *
 * The steps reject with {@link EngineError} if the server is unreachable, and with
 * {@link ExecutorNotRunningError} if `closing` is aborted first.
 */
export function startSteps(
  server: BullServer,
  { submitTimeout, whenUnreachable }: ResolvedBullMqOptions,
  outages: OutageLog,
  closing: AbortSignal,
): StartStep {
  const timeout = new SharedTimeout(TIMES_SUBMIT_TIMEOUT * submitTimeout);
  const closed = new Promise<never>((_resolve, reject) => {
    const abort = (): void =>
      reject(new ExecutorNotRunningError('The application was closed while its engine connected.'));
    if (closing.aborted) abort();
    else closing.addEventListener('abort', abort, { once: true });
  });
  closed.catch(() => undefined);
  return async (step) => {
    for (;;) {
      try {
        return await Promise.race([timeout.limit(step()), closed]);
      } catch (error) {
        if (error instanceof FlowrraError) throw error;
        const waits = isOutage(server, error);
        if (whenUnreachable === 'fail' || !waits) throw unusable(server, error, waits);
        outages.waiting(error);
        await Promise.race([pause(BETWEEN_TRIES_MS), closed]);
      }
    }
  };
}

function unusable({ name }: BullServer, cause: unknown, isOutage: boolean): EngineError {
  const advice = isOutage
    ? "Check that the server is running and that the connection is right, or set whenUnreachable: 'wait' to wait for the server."
    : 'The server has answered, so waiting does not help: check the connection, the user and the password.';
  return new EngineError(`${name} cannot be used: ${messageOf(cause)}. ${advice}`, {
    cause: withoutCommand(cause),
  });
}
