/**
 * Every error that Flowrra throws. Each has a stable `code` for programs and a
 * message for people, which says what to do next; what caused it is its `cause`.
 */
export abstract class FlowrraError extends Error {
  /** Stable across releases and safe to compare, such as `'FLOWRRA_TASK_NOT_FOUND'`. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/**
 * An option, a decorator or a registration is wrong. Thrown while the application starts, wherever that can
 * tell; a job that meets one fails for good.
 */
export class FlowrraConfigError extends FlowrraError {
  readonly code = 'FLOWRRA_CONFIG';
}
