import { type ArgumentsHost, Catch, HttpException, Logger } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { FlowrraError, SubmitUncertainError } from '../job/errors.js';

/** HTTP status by error code. Errors with other codes are internal errors. */
const STATUS: ReadonlyMap<string, number> = new Map([
  ['FLOWRRA_CONFIG', 400],
  ['FLOWRRA_PAYLOAD', 400],
  ['FLOWRRA_ARGUMENTS', 400],
  ['FLOWRRA_RESULT_NOT_FOUND', 404],
  ['FLOWRRA_SCHEDULE_NOT_FOUND', 404],
  ['FLOWRRA_JOB_FINISHED', 409],
  ['FLOWRRA_JOURNAL_FULL', 409],
  ['FLOWRRA_RESULT_EXPIRED', 410],
  ['FLOWRRA_QUEUE_FULL', 503],
  ['FLOWRRA_NOT_RUNNING', 503],
  ['FLOWRRA_ENGINE', 503],
  ['FLOWRRA_OUTBOX', 503],
  ['FLOWRRA_BACKEND', 503],
  ['FLOWRRA_SUBMIT_UNCERTAIN', 503],
  ['FLOWRRA_WAIT_TIMEOUT', 504],
]);

const RETRY_AFTER_SECONDS = '5';
/** The message of Nest for unknown errors. */
const UNKNOWN = 'Internal server error';

/**
 * Answers an HTTP request that failed with a {@link FlowrraError} by the error's status and
 * `{ statusCode, code, message }`, with the `taskId` of a {@link SubmitUncertainError}. A 503 has the header
 * `Retry-After: 5`. An error without a status is logged and answered with 500, as Nest does with unknown errors.
 *
 * Over a web socket it emits `exception` with `{ status: 'error', code, message }`. In microservices, GraphQL and
 * tasks it does not handle the error.
 *
 * Bind it to the application with `{ provide: APP_FILTER, useClass: FlowrraExceptionFilter }`, or to a controller
 * with `@UseFilters(FlowrraExceptionFilter)`.
 */
@Catch(FlowrraError)
export class FlowrraExceptionFilter extends BaseExceptionFilter<FlowrraError | HttpException> {
  override catch(error: FlowrraError, host: ArgumentsHost): void {
    const type = host.getType<string>();
    if (type === 'http') this.reply(error, host);
    else if (type === 'ws') emit(error, host.switchToWs().getClient());
    // Except over web sockets, Nest treats an error as not handled if its filter returns no value.
  }

  private reply(error: FlowrraError, host: ArgumentsHost): void {
    const statusCode = STATUS.get(error.code);
    if (statusCode === 503) this.setHeader(host, 'Retry-After', RETRY_AFTER_SECONDS);
    // oxlint-disable-next-line promise/valid-params -- a filter's catch, not a promise's
    super.catch(statusCode === undefined ? error : answerOf(error, statusCode), host);
  }

  private setHeader(host: ArgumentsHost, name: string, value: string): void {
    const adapter = this.applicationRef ?? this.httpAdapterHost?.httpAdapter;
    const response: unknown = host.getArgByIndex(1);
    if (adapter !== undefined && !adapter.isHeadersSent(response)) adapter.setHeader?.(response, name, value);
  }
}

function answerOf(error: FlowrraError, statusCode: number): HttpException {
  const { code, message } = error;
  const taskId = error instanceof SubmitUncertainError ? { taskId: error.taskId } : {};
  return new HttpException({ statusCode, code, message, ...taskId }, statusCode);
}

interface Emitting {
  emit?(event: string, body: unknown): void;
}

function emit(error: FlowrraError, client: Emitting): void {
  const { code, message } = error;
  const known = STATUS.has(code);
  if (!known) new Logger('Flowrra').error(error);
  client.emit?.('exception', { status: 'error', ...(known ? { code, message } : { message: UNKNOWN }) });
}
