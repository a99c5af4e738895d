declare const contextMark: unique symbol;

/** The mark of a task's context: a parameter of this type is left out of the arguments that a caller passes. */
export abstract class ContextMark {
  declare protected readonly [contextMark]: true;
}
