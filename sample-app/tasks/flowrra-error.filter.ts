// sample-app/tasks/flowrra-error.filter.ts
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { FlowrraError, SubmitUncertainError } from 'flowrra';

/** What a client can do about each error; any other is the server's own. */
const STATUS: Record<string, number> = {
  FLOWRRA_CONFIG: 400,
  FLOWRRA_PAYLOAD: 400,
  FLOWRRA_ARGUMENTS: 400,
  FLOWRRA_RESULT_NOT_FOUND: 404,
  FLOWRRA_RESULT_EXPIRED: 410,
  FLOWRRA_QUEUE_FULL: 503,
  FLOWRRA_NOT_RUNNING: 503,
  FLOWRRA_ENGINE: 503,
  FLOWRRA_SUBMIT_UNCERTAIN: 503,
};

@Catch(FlowrraError)
export class FlowrraErrorFilter implements ExceptionFilter<FlowrraError> {
  catch(error: FlowrraError, host: ArgumentsHost): void {
    const statusCode = STATUS[error.code] ?? 500;
    const response = host.switchToHttp().getResponse<Response>();
    if (statusCode === 503) response.setHeader('Retry-After', '5');
    const { code, message } = error;
    const taskId = error instanceof SubmitUncertainError ? error.taskId : undefined;
    // It may have been accepted: that can be asked there, once the engine answers again.
    if (taskId !== undefined) response.setHeader('Location', `/tasks/${taskId}`);
    response.status(statusCode).json({ statusCode, code, message, taskId });
  }
}

interface Response {
  setHeader(name: string, value: string): void;
  status(code: number): { json(body: unknown): void };
}
