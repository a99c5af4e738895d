// sample-app/tasks/flowrra-error.filter.ts
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { FlowrraError } from 'flowrra';

/** What a client can do about each error; any other is the server's own. */
const STATUS: Record<string, number> = {
  FLOWRRA_PAYLOAD: 400,
  FLOWRRA_RESULT_NOT_FOUND: 404,
  FLOWRRA_RESULT_EXPIRED: 410,
  FLOWRRA_QUEUE_FULL: 503,
  FLOWRRA_NOT_RUNNING: 503,
};

@Catch(FlowrraError)
export class FlowrraErrorFilter implements ExceptionFilter<FlowrraError> {
  catch(error: FlowrraError, host: ArgumentsHost): void {
    const statusCode = STATUS[error.code] ?? 500;
    const response = host.switchToHttp().getResponse<Response>();
    if (statusCode === 503) response.setHeader('Retry-After', '5');
    response.status(statusCode).json({ statusCode, code: error.code, message: error.message });
  }
}

interface Response {
  setHeader(name: string, value: string): void;
  status(code: number): { json(body: unknown): void };
}
